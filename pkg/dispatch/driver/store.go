package driver

import (
	"context"
	"iter"
	"time"
)

// A Store keeps small values under keys, with compare-and-set. It is the only authority
// on the state of a deferred. Implementations are safe for concurrent use.
// drivertest.TestStore is their contract as code.
type Store interface {
	// Write writes each value independently: a write that fails does not stop the others.
	// The answers have the order of the writes. The writes of one call have different
	// keys.
	Write(ctx context.Context, writes []Write) []Written
	// Read returns an entry per key, in the order of the keys. An entry with revision 0
	// does not exist. Each entry may be outdated by any time: any replica may answer,
	// however far behind it is. A caller that writes such an entry back by
	// compare-and-set gets a conflict.
	Read(ctx context.Context, keys []Key) ([]Entry, error)
	// ReadLatest is Read answered by the leader, which takes the writes. It returns
	// everything that was stored before the call.
	ReadLatest(ctx context.Context, keys []Key) ([]Entry, error)
	// List returns the entries of the query, in the order of their revisions.
	List(ctx context.Context, q Query) iter.Seq2[Entry, error]
	// Count returns the number of entries in a space. For a while it may include entries
	// that are gone.
	Count(ctx context.Context, s Space) (int, error)
	// Watch returns the entries that are written to the keys after it returns. It closes
	// the channel when ctx ends or the store is closed. It may lose entries. So a watcher
	// reads the entries after it has begun to watch, and again from time to time. The
	// name of a key may end in ".*", which stands for any one token more.
	Watch(ctx context.Context, keys []Key) (<-chan Entry, error)
}

// Space is a kind of entry in a store.
type Space string

// The spaces.
const (
	Records  Space = "state"   // key: the id; value: a record as JSON
	Notes    Space = "notes"   // key: the id, a dot and the note's name
	Workers  Space = "workers" // key: the incarnation; expires after [HeartbeatTTL]
	Settings Space = "config"
	// Unhandled: failures that no deferred handles. key: an id; value: JSON for people.
	Unhandled Space = "unhandled"
)

// HeartbeatTTL is how long a heartbeat is visible. A worker that misses three heartbeats
// does not count as alive any more.
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
	Time     time.Time // when the server stored it, by the server's clock
}

// Unconditional as [Write.Expect] replaces any entry under the key.
const Unconditional = ^uint64(0)

// A Write is one value that a caller wants to write.
type Write struct {
	Key
	Value  []byte
	Expect uint64        // the revision the key must have: 0 for no entry, or Unconditional
	TTL    time.Duration // the entry expires after it; 0 for never. Whole seconds, at least one
	Delete bool
}

// Written answers a write. Err is ErrConflict when the key has another revision. It is
// ErrUnknown when no answer came and the write may be stored.
type Written struct {
	Revision uint64
	Err      error
}

// A Query selects entries. After skips the entries up to and including that revision.
type Query struct {
	Space  Space
	Prefix string // of the name; it ends at a dot
	After  uint64
}
