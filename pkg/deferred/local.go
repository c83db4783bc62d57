package deferred

import (
	"context"
	"errors"
	"runtime/debug"
)

// Go calls f in a goroutine of this process and gives its deferred: the same
// handle with no queue behind it. Cancel cancels f's context. Nothing survives
// the process.
func Go[R any](ctx context.Context, f func(ctx context.Context) (R, error)) *Deferred {
	ctx, cancel := context.WithCancelCause(ctx)
	l := newLocal(cancel)
	go func() {
		// Stands if f ends the goroutine, as testing's FailNow does.
		o := Outcome{State: Failed, Failure: &Failure{Kind: KindError, Message: "deferred: the function exited its goroutine"}}
		defer func() {
			l.settle(o)
			cancel(nil)
		}()
		o = run(WithAttempt(ctx, &Attempt{Offer: Offer{ID: l.record.ID}, Number: 1, Ledger: localAttempt{l}}), f)
	}()
	return Open(l, l.record.ID)
}

// Resolved gives a deferred that has succeeded with v.
func Resolved(v any) *Deferred { return settledLocal(outcomeOf(v, nil)) }

// Rejected gives a deferred that has failed with err.
func Rejected(err error) *Deferred {
	if err == nil {
		err = errors.New("deferred: rejected without an error")
	}
	return settledLocal(outcomeOf(nil, err))
}

func settledLocal(o Outcome) *Deferred {
	l := newLocal(nil)
	l.settle(o)
	return Open(l, l.record.ID)
}

func run[R any](ctx context.Context, f func(context.Context) (R, error)) (o Outcome) {
	defer func() {
		if v := recover(); v != nil {
			o = PanicOutcome(v, debug.Stack())
		}
	}()
	v, err := f(ctx)
	return outcomeOf(v, err)
}

func outcomeOf(v any, err error) Outcome {
	if err == nil {
		var result Content
		if result, err = Encode(v); err == nil {
			return Outcome{State: Succeeded, Result: result}
		}
	}
	return Outcome{State: Failed, Failure: FailureOf(err)}
}
