package suite

import (
	"strings"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// refusesOnce is a queue that cannot put the first message that it is about.
func (r *rig) refusesOnce(about func(m driver.Message) bool) (q *dispatch.Queue, refused *atomic.Bool) {
	refused = new(atomic.Bool)
	return r.tap(tapped{put: func(m driver.Message) error {
		if about(m) && refused.CompareAndSwap(false, true) {
			return errOnce
		}
		return nil
	}}), refused
}

// A callback that waits is nowhere but in its record: that says that it stands in its
// lane only when it does.
func forwardRefused(r *rig) {
	q, refused := r.refusesOnce(func(m driver.Message) bool { return m.Route == driver.Ready && m.ID == "callback" })
	w := r.join(q, "greet")
	r.openGate()
	r.submit(callbackOf("callback", "gate"))
	r.comesToBe("callback", "waits", waiting)
	r.becomesEmpty(driver.Later)
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 1); err != nil {
		r.Fatal(err)
	}
	w.succeed(w.claim())
	r.await("callback", deferred.Succeeded)
	if !refused.Load() {
		r.Error("nothing was refused: this case says nothing")
	}
}

// The word that cancels what a deferred has waited for is given before that is let
// go of, or it is never.
func passingOnRefused(r *rig) {
	q, refused := r.refusesOnce(func(m driver.Message) bool { return m.Verb == "cancel" && m.ID == "inner" })
	r.join(q, "nothing")
	parked := greeting("inner")
	parked.Delay = time.Hour
	r.submit(parked, joinOf("join", deferred.JoinAll, "inner"))
	r.comesToBe("inner", "is waited for", func(rec *deferred.Record) bool { return rec.Attached("join") != nil })
	if err := r.queue.Open("join").Cancel(r.ctx, "enough"); err != nil {
		r.Fatal(err)
	}
	if f := r.await("inner", deferred.Cancelled).Failure; f.Message != "enough" {
		r.Errorf("it was cancelled because %q", f.Message)
	}
	if !refused.Load() {
		r.Error("nothing was refused: this case says nothing")
	}
}

// A join looks, finds its member open, and has it say when it settles; and just before
// that it settles. Nobody else will say so.
func settledMeanwhile(r *rig) {
	var done atomic.Bool
	r.join(r.tap(tapped{write: func(w driver.Write) error {
		listens := w.Name == "member" && strings.Contains(string(w.Value), `"on":"both"`)
		if listens && done.CompareAndSwap(false, true) {
			r.write("member", func(rec *deferred.Record) {
				rec.Settled = time.Now()
				rec.Settle(deferred.Succeeded, nil)
				rec.Result = deferred.JSON([]byte(`1`))
			})
		}
		return nil
	}}), "nothing")
	r.write("member", func(rec *deferred.Record) { rec.State, rec.Seen, rec.Name = deferred.Pending, true, "nobody" })
	r.submit(joinOf("join", deferred.JoinAll, "member"))
	r.gives("join", `[1]`)
	if !done.Load() {
		r.Error("the member did not settle in between: this case says nothing")
	}
}

// Whoever gives a command, and does not know whether his own write is stored, is
// answered when the record says that it is done, and not before.
func writeWithoutAnswer(r *rig) {
	r.submit(greeting("a"))
	watched, answered := make(chan struct{}, 1), make(chan error, 1)
	q := r.tap(tapped{
		write: func(driver.Write) error { return driver.ErrUnknown }, // nor is it stored
		watched: func() {
			select {
			case watched <- struct{}{}:
			default:
			}
		},
	})
	go func() { answered <- q.Open("a").Cancel(r.ctx, "enough") }()
	select {
	case <-watched:
		r.perform(nil)
		if err := <-answered; err != nil {
			r.Error(err)
		}
	case err := <-answered:
		r.Errorf("answered before anything was done: %v", err)
	}
	if rec := r.record("a"); rec.State != deferred.Cancelled {
		r.Errorf("it is %q when that was answered", rec.State)
	}
}
