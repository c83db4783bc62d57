package workerpool

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"time"

	"zasync/pkg/deferred"
)

// claim is false when the call is not to be had: the feed has let go of it then.
func (r *run) claim(ctx context.Context, t *task, o *deferred.Offer) bool {
	a, err := r.feed.Claim(ctx, *o)
	if err == nil {
		t.attempt, t.claimed = a, time.Now()
		return true
	}
	if r.log.Enabled(ctx, slog.LevelDebug) { // if it is worth a warning, the feed has warned
		r.log.LogAttrs(ctx, slog.LevelDebug, "call not claimed", about(o, slog.Any("err", err))...)
	}
	return false
}

// perform runs the handler in the slot. What follows is deferred, because a
// handler may end its goroutine with runtime.Goexit.
func (r *run) perform(ctx context.Context, s *slot, t *task) {
	// Only revoking and interrupting end the handler's context, through cancel.
	// A parent that can end would cost a lock that all slots share.
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	t.since, t.cancel = time.Now(), cancel
	s.task.Store(t)
	// Looking only now makes sure that the stopping pool, which first says so
	// and then looks into the slots, does not miss a handler that starts.
	if r.isStopping() {
		if r.vacate(s, t) {
			r.decline(ctx, &t.attempt.Offer, reasonStopping)
		}
		return
	}
	t.attempt.OnRevoke(func(cause error) {
		cancel(cause)
		time.AfterFunc(heedWait, func() { r.overrun(ctx, t) })
	})
	if t.confirm(inner) != nil && inner.Err() == nil {
		if r.vacate(s, t) {
			r.decline(ctx, &t.attempt.Offer, reasonUnknown)
		}
		return
	}
	defer r.finish(ctx, s, t)
	if limit := t.attempt.Timeout; limit > 0 {
		var stop context.CancelFunc
		inner, stop = context.WithTimeoutCause(inner, limit, deferred.ErrTimeout)
		defer stop()
		defer time.AfterFunc(limit+heedWait, func() { r.overrun(ctx, t) }).Stop()
	}
	t.attempt.Awaits = func(id deferred.ID) func() { return r.awaits(ctx, t, id) }
	t.outcome = t.call(deferred.WithAttempt(inner, t.attempt))
}

// freshClaim is how long a claim is taken for what the record says still. One that
// has waited for its slot for longer is looked at again, the last thing before its
// handler starts: a cancel may have been acknowledged meanwhile. Most calls that
// are claimed ahead wait about lookahead, and cost no read.
const freshClaim = 2 * lookahead

func (t *task) confirm(ctx context.Context) error {
	if t.since.Sub(t.claimed) < freshClaim || t.attempt.Confirm == nil {
		return nil
	}
	return t.attempt.Confirm(ctx)
}

func (r *run) isStopping() bool {
	select {
	case <-r.stopping:
		return true
	default:
		return false
	}
}

// call calls the handler, unless the attempt was revoked while it waited.
func (t *task) call(ctx context.Context) (o deferred.Outcome) {
	defer func() {
		if v := recover(); v != nil {
			o = deferred.PanicOutcome(v, debug.Stack())
		}
	}()
	if ctx.Err() != nil {
		return interruption(context.Cause(ctx))
	}
	in, err := t.attempt.Input()
	if err != nil {
		return deferred.OutcomeOf(badArguments(err))
	}
	result, err := t.lane.handler(ctx, in)
	if err != nil {
		return t.outcomeOf(ctx, err)
	}
	return deferred.Outcome{State: deferred.Succeeded, Result: result}
}

// outcomeOf reads the error of a handler. After the context has ended an error
// is taken for the consequence, which is not the call's fault, unless the
// handler has marked another one on purpose.
func (t *task) outcomeOf(ctx context.Context, err error) deferred.Outcome {
	o := t.attempt.OutcomeOf(err)
	cause := context.Cause(ctx)
	if cause == nil {
		return o
	}
	if o.Retry != (deferred.Advice{}) && !errors.Is(err, context.Canceled) && !errors.Is(err, cause) {
		return o
	}
	if errors.Is(cause, deferred.ErrTimeout) {
		return timedOut(o)
	}
	return interruption(cause)
}

// timedOut is the outcome of an attempt that ran for longer than it may: a
// failure like another, that the policy may have tried again. What the handler
// said of it is in the chain.
func timedOut(o deferred.Outcome) deferred.Outcome {
	f := &deferred.Failure{Kind: deferred.KindTimeout, Message: "the attempt ran for longer than its timeout"}
	if said := o.Failure; said != nil {
		f.Chain = []deferred.Cause{{Kind: said.Kind, Message: said.Message}}
	}
	return deferred.Outcome{State: deferred.Failed, Failure: f}
}

// interruption is the outcome of an attempt whose context ended it. A lost one
// is reported like any other; the feed knows that its outcome does not count.
func interruption(cause error) deferred.Outcome {
	if errors.Is(cause, deferred.ErrCancelled) {
		return deferred.Outcome{State: deferred.Cancelled, Failure: deferred.CancelFailure(reasonOf(cause))}
	}
	if errors.Is(cause, deferred.ErrExpired) {
		return deferred.Outcome{State: deferred.Expired, Failure: &deferred.Failure{Kind: deferred.KindExpired, Message: reasonOf(cause)}}
	}
	return deferred.Outcome{State: deferred.Pending}
}

func reasonOf(cause error) string {
	var f *deferred.Failure
	if errors.As(cause, &f) {
		return f.Message
	}
	return ""
}

// vacate takes the task out of its slot. It is false when the task has ended before.
func (r *run) vacate(s *slot, t *task) bool {
	decided := t.fate.CompareAndSwap(undecided, returned)
	if t.fate.Load() == abandoned { // the slot is of a pool that has stopped
		return false
	}
	s.task.Store(nil)
	r.free <- s
	if !decided {
		r.recovered()
	}
	return decided
}

// finish frees the slot and settles what was performed in it. A call that was
// abandoned is not settled: the feed may be gone, and another worker may have it.
// One whose handler was hung has been settled.
func (r *run) finish(ctx context.Context, s *slot, t *task) {
	took := time.Since(t.since)
	if t.outcome.State == "" {
		t.outcome = deferred.OutcomeOf(errors.New("workerpool: the handler exited its goroutine"))
	}
	if !r.vacate(s, t) {
		message := "abandoned handler returned"
		if t.fate.Load() == hung {
			message = "hung handler returned"
		}
		r.log.LogAttrs(ctx, slog.LevelWarn, message, about(&t.attempt.Offer, span(took))...)
		return
	}
	r.settle(ctx, t, t.outcome, took)
}

// settle hands over how an attempt has ended.
func (r *run) settle(ctx context.Context, t *task, o deferred.Outcome, took time.Duration) {
	t.lane.ran(took)
	r.performed.Add(1)
	if f := o.Failure; f != nil {
		f.Attempt, f.Worker = t.attempt.Number, r.worker.Name
	}
	r.logEnd(ctx, t.attempt, &o, took)
	if err := r.feed.Settle(ctx, t.attempt, o); err != nil {
		r.logUnsettled(ctx, t.attempt, err)
	}
}

func (r *run) decline(ctx context.Context, o *deferred.Offer, reason string) {
	r.feed.Decline(*o, reason)
	if r.log.Enabled(ctx, slog.LevelDebug) {
		r.log.LogAttrs(ctx, slog.LevelDebug, "call declined", about(o, slog.String("reason", reason))...)
	}
}
