package suite

import (
	"context"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

var attemptLeaseCases = []rigCase{
	{"LostAttemptLeavesItsMessageToOthers", leaseOfALostAttempt},
	{"AttemptThatIsToldOfItsLossIsRenewedNoLonger", leaseOfAToldAttempt},
	{"AttemptInForceGoesOnAfterAGap", leaseOfAnAttemptInForce},
	{"AttemptInForceFiresRightAfterAGap", leaseOfAnAttemptThatFires},
	{"AttemptThatSeesItsOwnOutcomeFinishesIt", leaseOfAnOwnOutcome},
	{"AttemptThatSeesThatItIsInterruptedGivesItsMessageBack", leaseOfAnInterruption},
	{"RecordedRetryIsParkedRightAfterAGap", leaseOfARetry},
	{"RetryThatOthersHaveMadeDuringAGapIsNotParked", leaseOfARetryOfOthers},
}

// takenFrom has a call taken over from a worker that stood still, whose attempt runs on.
func (r *rig) takenFrom() (w *hand, kill func()) {
	zombie, still := r.frozenHand("greet")
	r.submit(greeting("a"))
	lost := zombie.claim()
	still.freeze()
	w, kill = r.joinMortal("greet")
	if a := w.claim(); a.Number != 2 {
		r.Fatalf("attempt %d, want 2", a.Number)
	}
	still.thaw()
	drivertest.Eventually(r.T, "the attempt is told that it is lost", func() bool { return lost.Revoked() != nil })
	zombie.feed.Want(zombie.lane, 0)
	return w, kill
}

func leaseOfALostAttempt(r *rig) {
	_, kill := r.takenFrom()
	kill()
	heir := r.join(r.queue, "greet")
	a := heir.claim()
	if a.Number != 3 {
		r.Errorf("attempt %d, want 3", a.Number)
	}
	heir.succeed(a)
	r.await("a", deferred.Succeeded)
}

// Its own lease had no gap, and its handler does not listen.
func leaseOfAToldAttempt(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	r.write("a", func(rec *deferred.Record) { rec.Attempt, rec.Token = 2, deferred.Token{Worker: "gone", Attempt: 2} })
	drivertest.Eventually(r.T, "the attempt is told that it is lost", func() bool { return a.Revoked() != nil })
	w.feed.Want(w.lane, 0)
	heir := r.join(r.queue, "greet")
	next := heir.claim()
	if next.Number != 3 {
		r.Errorf("attempt %d, want 3", next.Number)
	}
	heir.succeed(next)
	r.await("a", deferred.Succeeded)
}

func leaseOfAnAttemptInForce(r *rig) {
	w, still := r.frozenHand("greet")
	r.submit(greeting("a"))
	a := w.claim()
	still.freeze()
	r.pass(2 * r.pair.Lease)
	still.thaw()
	r.pass(2 * r.pair.Lease)
	if err := a.Revoked(); err != nil {
		r.Fatalf("the attempt was revoked: %v", err)
	}
	r.join(r.queue, "greet").idle(r.beyond())
	w.succeed(a)
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 {
		r.Errorf("attempt %d, want 1", rec.Attempt)
	}
	r.becomesEmpty(driver.Ready)
}

// Its callback is fired by itself, not by whoever is given the message next.
func leaseOfAnAttemptThatFires(r *rig) {
	w, still := r.frozenHand("greet")
	r.submit(withErrback("a"))
	a := w.claim()
	w.feed.Want(w.lane, 0)
	still.freeze()
	r.pass(2 * r.pair.Lease)
	still.thaw()
	w.fail(a, deferred.Permanent(errOnce))
	if rec := r.record("a"); !rec.Callbacks[0].Fired {
		r.Error("its outcome was stored, and its errback not fired")
	}
	drivertest.Eventually(r.T, "its message is gone, and that of the errback there", func() bool { return r.pending(driver.Ready) == 1 })
}

// slowAnswer gives the answers to writes late: who watches the record sees them before.
type slowAnswer struct {
	driver.Store
	rig *rig
	now atomic.Bool
}

func (s *slowAnswer) Write(ctx context.Context, w []driver.Write) []driver.Written {
	written := s.Store.Write(ctx, w)
	if s.now.Load() {
		s.rig.pass(50 * time.Millisecond)
	}
	return written
}

func leaseOfAnInterruption(r *rig) {
	s := &slowAnswer{Store: r.pair.Store, rig: r}
	var given atomic.Int64
	w := r.join(r.over(s, tappedBroker{r.pair.Broker, tapped{settled: func(s driver.Settlement) {
		if s.Verdict == driver.GiveBack {
			given.Add(1)
		}
	}}}), "greet")
	r.submit(greeting("a"))
	a := w.claim()
	w.feed.Want(w.lane, 0)
	r.pass(300 * time.Millisecond) // it is watched by now
	s.now.Store(true)
	if err := w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Pending}); err != nil {
		r.Fatal(err)
	}
	if n := given.Load(); n != 1 {
		r.Errorf("its message was given back %d times, want once", n)
	}
}

func leaseOfAnOwnOutcome(r *rig) {
	s := &slowAnswer{Store: r.pair.Store, rig: r}
	w := r.join(r.over(s, r.pair.Broker), "greet")
	c := greeting("a")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	r.submit(c)
	a := w.claim()
	r.pass(300 * time.Millisecond) // it is watched by now
	s.now.Store(true)
	w.succeed(a)
	if rec := r.record("a"); !rec.Callbacks[0].Fired {
		r.Error("its outcome was stored, and its callback not fired")
	}
}

// retried is a process that stands still when it has recorded that the call is to be
// tried again.
func (r *rig) retried(after time.Duration) (still *freezer, settled chan struct{}) {
	var failing atomic.Bool
	q, still := r.halting(driver.Ready, func(w *driver.Write, _ *driver.Message, _ *driver.Key) bool {
		return w != nil && w.Key == drivertest.RecordKey("a") && failing.Load()
	})
	w := r.join(q, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	w.feed.Want(w.lane, 0)
	failing.Store(true)
	settled = make(chan struct{})
	go func() {
		w.fail(a, deferred.RetryAfter(after, errOnce))
		close(settled)
	}()
	r.standsStill(still)
	return still, settled
}

func leaseOfARetry(r *rig) {
	still, settled := r.retried(time.Hour)
	r.pass(2 * r.pair.Lease)
	still.thaw()
	<-settled
	if n := r.pending(driver.Delay); n != 1 {
		r.Errorf("%d schedules, want that of the retry", n)
	}
	r.becomesEmpty(driver.Ready)
}

func leaseOfARetryOfOthers(r *rig) {
	still, settled := r.retried(time.Second)
	other := r.join(r.queue, "greet")
	other.succeed(other.claim())
	r.becomesEmpty(driver.Ready)
	r.forget("a")
	still.thaw()
	<-settled
	other.idle(r.beyond())
	r.isForgotten("a")
}
