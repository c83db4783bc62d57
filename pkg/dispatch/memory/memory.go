// Package memory is the pair of seams that a queue stands on, kept in the memory
// of one process: for tests, and for programs that need no server. What it keeps
// is gone with the process.
//
// It does what a server does, the unpleasant things included: a message whose
// lease ends comes again however busy its holder is, and a late settlement
// counts whoever holds the message by then. It blocks on channels and timers
// only and leaves no goroutine behind, so that all of it runs in the bubbles of
// testing/synctest, where schedules fire and leases end on the nanosecond.
package memory

import "time"

// DefaultLease is the lease of a [Config] that names none.
const DefaultLease = 4 * time.Second

// Config says how a pair behaves. The zero value is good.
type Config struct {
	// Lease is how long a delivery is left to its holder, who says nothing.
	Lease time.Duration
}

// A Pair is a store and a broker that know nothing of each other, like two
// streams of one server. It needs no closing.
type Pair struct {
	Store  *Store
	Broker *Broker
}

// New makes an empty pair.
func New(c Config) *Pair {
	if c.Lease <= 0 {
		c.Lease = DefaultLease
	}
	return &Pair{Store: newStore(), Broker: newBroker(c.Lease)}
}
