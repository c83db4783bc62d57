package driver

import (
	"context"
	"iter"
	"time"
)

// A Store keeps small values under keys, with compare-and-set. It is the only
// authority on the state of a deferred. Implementations are safe for concurrent
// use; drivertest.TestStore is their contract as code.
type Store interface {
	// Write writes each value on its own terms; one that fails does not keep
	// the others from being written. The answers are in the order of the writes.
	// The writes of one call are to different keys.
	Write(ctx context.Context, writes []Write) []Written
	// Read gives an entry per key, in order. One with revision 0 is not there. What
	// it gives may be of any age, each entry of its own: whichever replica is asked
	// answers, however far behind it is. Who writes by compare-and-set is told so.
	Read(ctx context.Context, keys []Key) ([]Entry, error)
	// ReadLatest is Read, answered by the one who takes the writes: whatever was
	// stored before it was called is in it.
	ReadLatest(ctx context.Context, keys []Key) ([]Entry, error)
	// List gives the entries of the query, in the order of their revisions.
	List(ctx context.Context, q Query) iter.Seq2[Entry, error]
	// Count tells how many entries a space has; for a while it may count some that
	// are gone.
	Count(ctx context.Context, s Space) (int, error)
	// Watch gives what is written to the keys after it returns, until ctx ends or
	// the store is closed; then the channel is closed. It may lose entries: a watcher reads after it
	// has begun to watch, and again from time to time. The name of a key may end
	// in ".*" for any one token more.
	Watch(ctx context.Context, keys []Key) (<-chan Entry, error)
}

// Space is a kind of thing that a store keeps.
type Space string

// The spaces.
const (
	Records  Space = "state"   // key: the id; value: a record as JSON
	Notes    Space = "notes"   // key: the id, a dot and the note's name
	Workers  Space = "workers" // key: the incarnation; entries vanish [HeartbeatTTL] after they were written
	Settings Space = "config"
	// Unhandled: key: an id; value: JSON for people. Failures that nobody took on.
	Unhandled Space = "unhandled"
)

// HeartbeatTTL is how long a heartbeat is seen: three missed ones and the
// worker is not alive any more.
const HeartbeatTTL = 3 * time.Second

// A Key names an entry.
type Key struct {
	Space Space
	Name  string
}

// An Entry is a value with its revision.
type Entry struct {
	Key
	Value    []byte
	Revision uint64    // 0: there is no such entry
	Time     time.Time // when it was stored, by the server's clock
}

// Unconditional as [Write.Expect] writes over whatever is there.
const Unconditional = ^uint64(0)

// A Write is one value to be written.
type Write struct {
	Key
	Value  []byte
	Expect uint64        // the revision that must stand there now: 0 for none, or Unconditional
	TTL    time.Duration // the entry vanishes so long after; 0 for never. Whole seconds, at least one
	Delete bool
}

// Written answers a write. Err is ErrConflict when another revision stands
// there, ErrUnknown when the answer did not come and the write may be stored.
type Written struct {
	Revision uint64
	Err      error
}

// A Query selects entries. After skips those up to and with that revision.
type Query struct {
	Space  Space
	Prefix string // of the name; it ends at a dot
	After  uint64
}
