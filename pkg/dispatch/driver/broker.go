package driver

import (
	"context"
	"iter"
	"time"

	"zasync/pkg/deferred"
)

// A Broker keeps messages until they are settled, and hands them out. It hands each
// message to one subscription at a time. It hands a message out again when its delivery
// is not settled or extended within the lease. Implementations are safe for concurrent
// use. drivertest.TestBroker is their contract as code.
type Broker interface {
	// Put stores messages, each independently of the others. The answers have the order
	// of the messages.
	Put(ctx context.Context, messages []Message) []Stored
	// Subscribe opens a supply of deliveries for one worker.
	Subscribe(ctx context.Context) (Subscription, error)
	// Settle finishes, extends or gives back deliveries. A nil error means only that the
	// verdicts were sent. A settlement may be lost, and then the broker delivers the
	// message again. The error does not tell whether another worker holds the message
	// too. Settle returns an error for an extension that the server may not have heard by
	// then.
	Settle(ctx context.Context, settlements []Settlement) error
	// Find returns the messages that stand for an id, and has no effect on them. It finds
	// ready, later, delayed and due messages, and of the commands only the one with the
	// verb [VerbJoin]. A caller cannot settle them. Find may miss a message that moves
	// from one route to another meanwhile.
	Find(ctx context.Context, id deferred.ID) ([]Delivery, error)
	// Remove deletes the schedule of an id, if there is one.
	Remove(ctx context.Context, id deferred.ID) error
	// Pending returns the messages of a route, oldest first, and has no effect on them.
	Pending(ctx context.Context, p Page) iter.Seq2[Delivery, error]
}

// A Subscription is one worker's supply.
type Subscription interface {
	// Want lets the broker deliver messages of the lane while the worker holds fewer than
	// n deliveries of the lane's group. The ready lanes form one group; every other route
	// is a group of its own. With n = 0 the lane stops. The worker holds a delivery from
	// Next until Release.
	Want(lane Lane, n int)
	// Next waits for a delivery.
	Next(ctx context.Context) (Delivery, error)
	// Release says that the worker does not hold n deliveries of the lane's group any
	// more.
	Release(lane Lane, n int)
	// Health returns an error, such as a [*MissingError], while a fault stops deliveries
	// until a person repairs it. It returns nil if there is no such fault.
	Health() error
	// Close ends the supply. The deliveries that Next has not returned go back to the
	// broker.
	Close() error
}

// Route is the place of a message in the queue.
type Route string

// The routes.
const (
	Ready    Route = "q"     // calls that workers may take
	Later    Route = "later" // calls that must wait before a worker runs them
	Commands Route = "do"    // commands on deferreds
	Delay    Route = "at"    // schedules: a caller puts them with a time, and they become due
	Due      Route = "due"   // messages of schedules that fired; a caller never puts them
	Aside    Route = "aside" // messages that a worker could not understand
)

// A Lane is a source of a subscription: the calls of one queue and name on the ready
// route, or all messages of the later, commands or due route.
type Lane struct {
	Route       Route
	Queue, Name string // on the ready route only
}

// A Message carries a duty.
type Message struct {
	Route  Route
	Queue  string      // of a call: on ready, later, delay and due
	Name   string      // of a call
	ID     deferred.ID // "" on ready and later: the server assigns a number
	Verb   string      // commands: the verb; aside: the reason, one token
	At     time.Time   // delay: when the schedule fires. It replaces an earlier schedule of the id
	Header map[string]string
	Body   []byte
	// Unique: Put refuses the message with ErrExists if another message has the same
	// subject. The subject is route, queue, name and id; for a schedule, route and id.
	Unique bool
}

// Stored answers a Put.
type Stored struct {
	Seq uint64 // in the stream; in decimal it is the id of a message put without one
	Err error  // ErrExists, ErrUnknown, or another error: nothing was stored
}

// A Delivery is a message that the broker has handed out.
type Delivery struct {
	Message           // ID is always set
	Seq     uint64    // the position in the stream
	Time    time.Time // when the server stored it
	Got     time.Time // when it arrived here, by the local clock; has a monotonic reading
	// Deliveries counts how often the broker has handed the message out. The count proves
	// nothing: a server that was killed forgets some deliveries.
	Deliveries int
	Backlog    int // messages that wait behind it in its lane
	Handle     string
}

// Lane is the lane of the delivery.
func (d *Delivery) Lane() Lane {
	if d.Route == Ready {
		return Lane{Route: Ready, Queue: d.Queue, Name: d.Name}
	}
	return Lane{Route: d.Route}
}

// Verdict says what the broker does with a delivery.
type Verdict int

// The verdicts.
const (
	Done     Verdict = iota // the duty is done: the broker removes the message
	Extend                  // the worker still holds it: the lease begins anew
	GiveBack                // the broker delivers the message again, after a delay
)

// A Settlement is a verdict on a delivery.
type Settlement struct {
	Delivery
	Verdict Verdict
	After   time.Duration // the delay of GiveBack
}

// A Page selects the messages of a route. It selects by queue and by name too, if these
// are not empty.
type Page struct {
	Route       Route
	Queue, Name string
	After       uint64 // skips the messages up to and including this sequence
	Limit       int    // 0: no limit
}

// VerbJoin is the verb of a command that makes a join. A join that cancels members must
// be a command: a server permits each verb separately, so only clients with the right to
// it can give one.
const VerbJoin = "join"
