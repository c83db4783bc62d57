package drivertest

import (
	"errors"
	"sync"

	"zasync/pkg/dispatch/driver"
)

// Mode is what happens at the chosen operation.
type Mode int

// The modes.
const (
	Sound        Mode = iota // nothing: operations are only counted
	Fail                     // it is not done, and the answer says so: ErrFailed
	LoseUnstored             // it is not done, and no answer comes: dispatch.ErrUnknown
	LoseStored               // it is done, and no answer comes: dispatch.ErrUnknown
	KillBefore               // the process dies before it
	KillAfter                // the process dies when it is done, before the answer
)

func (m Mode) String() string {
	return [...]string{"Sound", "Fail", "LoseUnstored", "LoseStored", "KillBefore", "KillAfter"}[m]
}

func (m Mode) Kills() bool { return m == KillBefore || m == KillAfter }

// Errors of [Faults].
var (
	// ErrFailed answers the operation of [Fail]. Like every error that is not
	// one of the seams' own it means that nothing was stored.
	ErrFailed = errors.New("drivertest: failed as planned")
	// ErrKilled answers everything that a dead process tries. Nobody is there
	// any more to read it.
	ErrKilled = errors.New("drivertest: the process is dead")
)

// Faults stands between one worker process and the store and the broker that it
// shares with others, who use the inner ones or Faults of their own.
//
// It numbers the operations of the process: each element of Write, of Put and
// of Settle, and each Remove. What changes nothing that others must cope with
// has no number: reads, lists, watches, finds, heartbeats (writes to the space
// of workers) and extensions of leases. The elements of one call are done one
// after the other, so that a fault can fall between them.
//
// A process that is killed does nothing any more: calls answer ErrKilled, leases
// and heartbeats run out, and [dispatch.Subscription] Next waits until its
// context ends. What had been delivered to it is not given back; only its lease
// ends. A watch that it had opened goes on, for seeing changes nothing. Handlers
// that run when it dies are the test's to stop: see [Faults.Killed].
//
// Settle has no answers. A settlement that is lost is therefore lost in silence,
// and [LoseStored] does nothing to one.
type Faults struct {
	store  driver.Store
	broker driver.Broker
	at     int
	Mode   Mode
	killed chan struct{}

	mu    sync.Mutex
	dead  bool // precedes killed by the operation of KillAfter
	trace []string
	subs  []driver.Subscription
}

// NewFaults gives a process its store and broker, with one fault in them, which
// happens once: at the operation of that number, counted from 1. At 0 there is none.
func NewFaults(s driver.Store, b driver.Broker, at int, mode Mode) *Faults {
	return &Faults{store: s, broker: b, at: at, Mode: mode, killed: make(chan struct{})}
}

// Store is the process's store.
func (f *Faults) Store() driver.Store { return faultyStore{f.store, f} }

// Broker is the process's broker.
func (f *Faults) Broker() driver.Broker { return faultyBroker{f.broker, f} }

// Kill lets the process die now, between two operations.
func (f *Faults) Kill() {
	f.mu.Lock()
	f.dead = true
	f.mu.Unlock()
	f.bury()
}

// Killed is closed when the process has died: after the operation of [KillAfter].
func (f *Faults) Killed() <-chan struct{} { return f.killed }

// Count is how many operations there were until now.
func (f *Faults) Count() int { return len(f.Trace()) }

// Trace names the operations until now, such as "write state a" or "done q a":
// the first is number 1. It is what a failing test should print.
func (f *Faults) Trace() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trace[:len(f.trace):len(f.trace)]
}

// Faulty is the name of the chosen operation, if it has come.
func (f *Faults) Faulty() string {
	if trace := f.Trace(); 0 < f.at && f.at <= len(trace) {
		return trace[f.at-1]
	}
	return ""
}

// alive is ErrKilled when the process is not.
func (f *Faults) alive() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return ErrKilled
	}
	return nil
}

// do lets an operation happen, or not, and gives the error that is told.
func (f *Faults) do(name string, operation func() error) error {
	mode, err := f.begin(name)
	if err != nil {
		return err
	}
	switch mode {
	case Fail:
		return ErrFailed
	case LoseUnstored:
		return driver.ErrUnknown
	case LoseStored:
		_ = operation()
		return driver.ErrUnknown
	case KillBefore:
		f.bury()
		return ErrKilled
	case KillAfter:
		_ = operation()
		f.bury()
		return ErrKilled
	default:
		return operation()
	}
}

// begin numbers an operation and says what is planned for it. A process that is
// to die with it can begin no other one from here on.
func (f *Faults) begin(name string) (Mode, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dead {
		return Sound, ErrKilled
	}
	f.trace = append(f.trace, name)
	if len(f.trace) != f.at {
		return Sound, nil
	}
	f.dead = f.Mode.Kills()
	return f.Mode, nil
}

// bury ends the supplies of a dead process, and tells of its death.
func (f *Faults) bury() {
	f.mu.Lock()
	subs := f.subs
	f.mu.Unlock()
	for _, s := range subs {
		_ = s.Close() // what Next has given stays where it is
	}
	close(f.killed)
}

// enter keeps a subscription for bury. It is false when the process is dead.
func (f *Faults) enter(s driver.Subscription) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.dead {
		f.subs = append(f.subs, s)
	}
	return !f.dead
}
