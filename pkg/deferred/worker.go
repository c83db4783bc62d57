package deferred

import (
	"context"
	"encoding/json"
	"sync"
	"time"
)

// A Source hands calls to workers. The queue is one; a test can be another.
type Source interface {
	// Join enters a worker, which is then seen to be alive until it leaves.
	Join(ctx context.Context, w Worker) (Feed, error)
}

// A Feed is one worker's supply of calls. It keeps the leases of everything it
// has offered, and the worker's heartbeat, going by itself.
type Feed interface {
	// Want lets calls of the lane be offered while the worker holds fewer than
	// n calls in all, whatever their lanes: an absolute number, 0 to stop. A call
	// is held from its offer until Decline, a failed Claim, or Settle.
	Want(lane Lane, n int)
	// Next waits for an offer. An offer is not claimed yet: decide on it. Some may
	// come when nothing is wanted any more.
	Next(ctx context.Context) (Offer, error)
	// Claim makes the call this worker's to perform. ErrTaken means that it is
	// not to be had, and that nothing has to be done about it. The feed warns of
	// any other error itself, once for many.
	Claim(ctx context.Context, o Offer) (*Attempt, error)
	// Decline gives the call back untouched: an offer that was not wanted, or
	// one that was claimed and never started.
	Decline(o Offer, reason string)
	// Settle hands over how the attempt ended and returns when that is stored
	// and what follows from it is done, or will be by somebody else. ErrLost
	// means that the call belongs to another worker, and its outcome counts.
	Settle(ctx context.Context, a *Attempt, o Outcome) error
	// Leave stops the supply, finishes what was settled and takes the worker
	// off the list of the living.
	Leave(ctx context.Context) error
}

// A Worker introduces itself to a source.
type Worker struct {
	Name        string // for people; "" is the host's name
	Incarnation string // unique to this run of it; "" is a random one
	Slots       int    // calls that it performs at once; for people
	Lanes       []Lane
	// Status is asked about once a second for what the worker's heartbeat says.
	// It may be nil.
	Status func() WorkerStatus
}

// WorkerStatus is what a heartbeat says about the work.
type WorkerStatus struct {
	Running   int    `json:"running"`
	Hung      int    `json:"hung,omitempty"` // of those that run: their attempts have ended, and they go on
	Performed uint64 `json:"performed"`
}

// A Lane is one kind of call in one queue. Each has its own backlog, so that
// one cannot block another.
type Lane struct {
	Queue string `json:"queue"`
	Name  string `json:"name"`
}

// An Offer shows a call before it is claimed. Offers are comparable by Handle.
type Offer struct {
	ID         ID
	Lane       Lane
	Labels     map[string]string
	Size       int       // bytes of the arguments
	Submitted  time.Time // by the server's clock
	Deliveries int       // how often it has been handed out, this time included
	Backlog    int       // calls that wait behind it in its lane
	// Suspect: workers died with this call before. It is performed alone among
	// its like for its first half minute, and claimed for a free slot only.
	Suspect bool
	Handle  any // the feed's own
}

// An Attempt is a claimed call.
type Attempt struct {
	Offer
	Number   int // counts the attempts of the call from 1
	Failures int // failed attempts before this one
	Args     Content
	Timeout  time.Duration // how long the handler may run; 0 is for ever
	// Checkpoint is what an earlier attempt saved; see [LoadCheckpoint].
	Checkpoint json.RawMessage
	Parent     *Parent // of a callback
	// Ledger annotates as this attempt: what it writes is refused, with ErrLost,
	// when a newer attempt has written, and when the attempt's outcome is on its way.
	Ledger Ledger
	// Confirm is for a call that begins later than it was claimed: it revokes the
	// attempt if the call is not to be performed any more. An error says that this
	// is not known. Nil, of a feed that cannot tell, confirms.
	Confirm func(context.Context) error
	// Awaits is the worker's, which may set it before the handler runs; see [Awaiting].
	Awaits func(ID) (end func())

	mu      sync.Mutex
	revoked error
	hooks   []func(error)
}

// Parent is what a callback follows.
type Parent struct {
	ID      ID
	Outcome Outcome
}

// Revoke tells the attempt that it has been cancelled, or lost, and why. It is
// for the feed. Only the first cause counts; it must not be nil.
func (a *Attempt) Revoke(cause error) {
	for _, f := range a.revoke(cause) {
		f(cause)
	}
}

// revoke gives the hooks to call: each is handed out once, so that whichever of
// Revoke and OnRevoke comes second is the one that calls it.
func (a *Attempt) revoke(cause error) []func(error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.revoked == nil {
		a.revoked = cause
	}
	hooks := a.hooks
	a.hooks = nil
	return hooks
}

// OnRevoke has f called, once, with the cause when the attempt is revoked; at
// once if it is already.
func (a *Attempt) OnRevoke(f func(cause error)) {
	if cause := a.hook(f); cause != nil {
		f(cause)
	}
}

// hook keeps f for later, unless the attempt is revoked already.
func (a *Attempt) hook(f func(error)) (cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.revoked == nil {
		a.hooks = append(a.hooks, f)
	}
	return a.revoked
}

// Revoked is the cause, nil while the attempt is in force.
func (a *Attempt) Revoked() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.revoked
}

// Input is what the handler is called with: the call's own arguments, or, of a
// callback that has none, the result or the failure that it follows. The codec
// of the failure is JSON.
func (a *Attempt) Input() (Content, error) {
	if a.Parent == nil || !a.Args.IsZero() {
		return a.Args, nil
	}
	if a.Parent.Outcome.State == Succeeded {
		return a.Parent.Outcome.Result, nil
	}
	return EncodeAs(TypeJSON, a.Parent.Outcome.Err())
}

type attemptKey struct{}

// WithAttempt gives a handler's context the attempt that it performs.
func WithAttempt(ctx context.Context, a *Attempt) context.Context {
	return context.WithValue(ctx, attemptKey{}, a)
}

// AttemptFrom is the attempt that the handler with this context performs; nil
// outside a handler.
func AttemptFrom(ctx context.Context) *Attempt {
	a, _ := ctx.Value(attemptKey{}).(*Attempt)
	return a
}
