package driver

import (
	"context"
	"iter"
	"time"

	"zasync/pkg/deferred"
)

// A Broker keeps messages until they are settled, and hands them out, each to
// one subscription at a time, again when a delivery is not settled or extended
// within the lease. Implementations are safe for concurrent use;
// drivertest.TestBroker is their contract as code.
type Broker interface {
	// Put stores messages, each on its own; the answers are in their order.
	Put(ctx context.Context, messages []Message) []Stored
	// Subscribe opens a supply of deliveries for one worker.
	Subscribe(ctx context.Context) (Subscription, error)
	// Settle finishes, extends or gives back deliveries. It tells no more than
	// that the word was sent: a settlement may be lost, and then the message
	// comes again. It says nothing about who else holds the message. An extension
	// that may not have been heard when it returns is an error.
	Settle(ctx context.Context, settlements []Settlement) error
	// Find gives the messages that stand for an id, with no effect on them:
	// ready, later, delayed and due ones, and of the commands that of the verb
	// [VerbJoin]. They cannot be settled. One that moves
	// from one route to another meanwhile may be missed.
	Find(ctx context.Context, id deferred.ID) ([]Delivery, error)
	// Remove takes away the schedule of an id, if there is one.
	Remove(ctx context.Context, id deferred.ID) error
	// Pending gives the messages of a route, oldest first, with no effect on them.
	Pending(ctx context.Context, p Page) iter.Seq2[Delivery, error]
}

// A Subscription is one worker's supply.
type Subscription interface {
	// Want lets messages of the lane be delivered while fewer than n deliveries
	// of the lane's group are held. The ready lanes are one group; each other
	// route is one of its own. 0 stops the lane. A delivery is held from Next
	// until Release.
	Want(lane Lane, n int)
	// Next waits for a delivery.
	Next(ctx context.Context) (Delivery, error)
	// Release says that n deliveries of the lane's group are held no longer.
	Release(lane Lane, n int)
	// Health tells what keeps deliveries from coming until a person does something
	// about it, such as a [*MissingError]. Nil: nothing does.
	Health() error
	// Close ends the supply. Deliveries that Next has not given go back.
	Close() error
}

// Route is where a message stands.
type Route string

// The routes.
const (
	Ready    Route = "q"     // calls to be taken
	Later    Route = "later" // calls that must wait first
	Commands Route = "do"    // commands on deferreds
	Delay    Route = "at"    // schedules: put here with a time, they become due
	Due      Route = "due"   // what a schedule became; never put
	Aside    Route = "aside" // what could not be understood
)

// A Lane is what a subscription is supplied from: a queue's calls of one name
// on the ready route, or the whole of the later, commands or due route.
type Lane struct {
	Route       Route
	Queue, Name string // on the ready route only
}

// A Message is a carrier of a duty.
type Message struct {
	Route  Route
	Queue  string      // of a call; ready, later, delay, due
	Name   string      // of a call
	ID     deferred.ID // "" on ready and later: the server numbers it
	Verb   string      // commands: the verb; aside: the reason, one token
	At     time.Time   // delay: when the schedule fires. It replaces the id's earlier one
	Header map[string]string
	Body   []byte
	// Unique: refuse with ErrExists if a message of the same subject stands
	// there: route, queue, name and id; of a schedule route and id.
	Unique bool
}

// Stored answers a Put.
type Stored struct {
	Seq uint64 // of the stream; the id of a message that had none, in decimal
	Err error  // ErrExists, ErrUnknown, or nothing was stored
}

// A Delivery is a message that was handed out.
type Delivery struct {
	Message           // ID is set always
	Seq     uint64    // the place in the stream
	Time    time.Time // when the server stored it
	Got     time.Time // when it came here, by the local clock; has a monotonic reading
	// Deliveries counts how often it was handed out. It proves nothing: a
	// server that was killed forgets some.
	Deliveries int
	Backlog    int // messages that wait behind it in its lane
	Handle     string
}

// Lane is the lane that the delivery came from.
func (d *Delivery) Lane() Lane {
	if d.Route == Ready {
		return Lane{Route: Ready, Queue: d.Queue, Name: d.Name}
	}
	return Lane{Route: d.Route}
}

// Verdict is what becomes of a delivery.
type Verdict int

// The verdicts.
const (
	Done     Verdict = iota // the duty is done: remove the message
	Extend                  // the holder lives: begin the lease anew
	GiveBack                // deliver it again, after a while
)

// A Settlement is a verdict on a delivery.
type Settlement struct {
	Delivery
	Verdict Verdict
	After   time.Duration // of GiveBack
}

// A Page selects messages: of a route, and of a queue and a name if they are not empty.
type Page struct {
	Route       Route
	Queue, Name string
	After       uint64 // skips those up to and with this sequence
	Limit       int    // 0: no limit
}

// VerbJoin makes a join a command. One that cancels what it does not need is given
// by those only who may: a server permits each verb by itself.
const VerbJoin = "join"
