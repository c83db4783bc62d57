package workerpool

import (
	"context"
	"log/slog"
	"time"

	"zasync/pkg/deferred"
)

// heedWait is how long a handler may go on when its context has ended, to clean up
// and return. What it says by then counts. One that goes on for longer is hung: its
// attempt ends without it, and its slot is taken until it returns.
const heedWait = 2 * time.Second

// overrun ends the attempt of a handler that has not returned in time.
func (r *run) overrun(ctx context.Context, t *task) {
	if !r.hang(t) {
		return
	}
	defer r.tasks.Done() // in place of the goroutine of the handler, which is not waited for
	took := time.Since(t.since)
	o := timedOut(deferred.Outcome{})
	reason := o.Failure.Message
	if cause := t.attempt.Revoked(); cause != nil {
		o, reason = interruption(cause), cause.Error()
	}
	r.log.LogAttrs(ctx, slog.LevelWarn, "handler hangs: it ignores that its context has ended, and its slot is lost until it returns",
		about(&t.attempt.Offer, slog.Int("attempt", t.attempt.Number), slog.String("reason", reason), span(took))...)
	r.settle(ctx, t, o, took)
}

// hang decides that the handler of a task is hung, unless the task is decided on
// already. No more calls are fetched than for the slots that are left.
func (r *run) hang(t *task) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.fate.CompareAndSwap(undecided, hung) {
		return false
	}
	r.hung++
	r.fit()
	return true
}

// recovered counts a slot again whose hung handler has returned.
func (r *run) recovered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hung--
	r.fit()
}

func (r *run) fit() {
	for _, l := range r.lanes {
		l.fit(len(r.slots) - r.hung)
	}
}
