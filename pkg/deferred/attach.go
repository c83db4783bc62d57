package deferred

import (
	"context"
	"fmt"
)

// AddCallback has the call made when the deferred succeeds. It may be added
// before, while and after the deferred settles, by any process, also to a
// deferred that nobody has seen yet; it never runs in the adder. The call's
// input is the result, unless it has arguments of its own. The new deferred is
// the callback's: hang what comes after it on that. When the deferred does not
// succeed, the callback's deferred takes its outcome over unchanged.
func (d *Deferred) AddCallback(ctx context.Context, c Call) (*Deferred, error) {
	return d.attach(ctx, c, After{On: OnSuccess})
}

// AddErrback has the call made when the deferred settles otherwise than
// succeeded, with a failure of one of the kinds if any are given. What it
// returns normally recovers; to pass the failure on it returns the failure itself:
// any other error, and one that wraps it, is its own, and is retried.
func (d *Deferred) AddErrback(ctx context.Context, c Call, kinds ...string) (*Deferred, error) {
	return d.attach(ctx, c, After{On: OnFailure, Kinds: kinds})
}

// AddBoth has the call made however the deferred settles.
func (d *Deferred) AddBoth(ctx context.Context, c Call) (*Deferred, error) {
	return d.attach(ctx, c, After{On: OnBoth})
}

// AddCallbacks has one of two calls made: callback when the deferred succeeds,
// errback when it does not, which never sees a failure of the callback beside
// it. The new deferred has the outcome of whichever ran.
func (d *Deferred) AddCallbacks(ctx context.Context, callback, errback Call) (*Deferred, error) {
	level := Lanes(callback, errback)
	level.Call.ID = NewID()
	if _, err := d.attach(ctx, level.Call, After{On: level.On}); err != nil {
		return nil, err
	}
	last := len(level.Call.Callbacks) - 1
	return Open(d.ledger, ChildID(level.Call.ID, last)), nil
}

// Lanes is AddCallbacks for a call that is not submitted yet. The outcome of
// whichever ran is that of its last callback: [ChildID] of the callback's own id.
func Lanes(callback, errback Call) Callback {
	callback.Callbacks = append(callback.Callbacks[:len(callback.Callbacks):len(callback.Callbacks)], Callback{On: OnSkipped, Call: errback})
	return Callback{On: OnSuccess, Call: callback}
}

func (d *Deferred) attach(ctx context.Context, c Call, after After) (*Deferred, error) {
	after.Parent = d.id
	c.After = &after
	if c.ID == "" {
		c.ID = NewID()
	}
	if err := d.ledger.Do(ctx, Command{Verb: Attach, ID: d.id, Call: &c}); err != nil {
		return nil, err
	}
	return Open(d.ledger, c.ID), nil
}

// Hold keeps back a call that has not started, for a reason that its record
// tells. A [*StateError] says that it has.
func (d *Deferred) Hold(ctx context.Context, reason string) error {
	return d.ledger.Do(ctx, Command{Verb: Hold, ID: d.id, Reason: reason})
}

// Release lets a held call go on. One that is not held is left as it is.
func (d *Deferred) Release(ctx context.Context) error {
	return d.ledger.Do(ctx, Command{Verb: Release, ID: d.id})
}

// Handle takes a failed deferred off the list of unhandled failures.
func (d *Deferred) Handle(ctx context.Context) error {
	return d.ledger.Do(ctx, Command{Verb: Handle, ID: d.id})
}

// Adopt is returned by a handler whose outcome is to be that of another
// deferred, of the same queue. The handler's slot is free meanwhile; a cancel
// goes through to the other one, unless something else hangs on it. A
// deferred of this process must have settled. What has no good id fails for good.
func Adopt(d *Deferred) error {
	if d == nil {
		d = &Deferred{}
	}
	return &adoption{d}
}

type adoption struct{ inner *Deferred }

func (a *adoption) Error() string { return "deferred: adopts " + string(a.inner.id) }

// outcome is the one that an adoption stands for.
func (a *adoption) outcome() Outcome {
	if err := a.inner.id.Check(); err != nil {
		return OutcomeOf(Permanent(fmt.Errorf("adopts what is no deferred: %w", err)))
	}
	l, ok := a.inner.ledger.(*local)
	if !ok {
		return Outcome{State: Waiting, Adopt: a.inner.id}
	}
	r, _, _, err := l.read(a.inner.id)
	if err == nil && r.State.Settled() {
		return r.Outcome()
	}
	return Outcome{State: Failed, Retry: Advice{Never: true}, Failure: &Failure{
		Kind: KindError, Message: "a deferred of a worker's process cannot be adopted before it has settled: await it, or submit a call",
	}}
}
