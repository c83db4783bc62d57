package dispatchtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// TestLeases has, for each thing that a worker may hold, what becomes of it when the
// worker stood still for longer than its lease was good. They take minutes.
func TestLeases(t *testing.T, clock Clock, open func(t *testing.T) Pair) {
	runWithin(t, time.Hour, leaseCases, clock, open)
}

var leaseCases = []rigCase{
	{"Rule12OfferWhoseLeaseHadAGapIsNotClaimed", leaseOfAnOffer},
	{"OfferOfAnUnbrokenLeaseIsClaimedLate", leaseKept},
	{"LostAttemptLeavesItsMessageToOthers", leaseOfALostAttempt},
	{"AttemptThatIsToldOfItsLossIsRenewedNoLonger", leaseOfAToldAttempt},
	{"AttemptInForceGoesOnAfterAGap", leaseOfAnAttemptInForce},
	{"CallbackThatItsParentKnowsAsSettledDoesNotRunAgain", leaseOfAFiring},
	{"CancelledAdoptionPassesTheCancelOn", leaseOfACancelledAdoption},
	{"CancelledAdoptionSparesWhatOthersWaitFor", leaseOfASharedInner},
	{"RecordOfACallWhoseWorkerDiedIsKeptForADay", keptAfterADeath},
	{"AttemptThatSeesItsOwnOutcomeFinishesIt", leaseOfAnOwnOutcome},
	{"LateCommandMakesNoRecord", leaseOfACommand},
}

// frozenHand joins a worker whose process can stand still.
func (r *rig) frozenHand(name string) (*hand, *freezer) {
	f := &freezer{Store: r.pair.Store, Broker: r.pair.Broker}
	return r.join(r.over(frozenStore{f}, frozenBroker{f}), name), f
}

func leaseOfAnOffer(r *rig) {
	w, still := r.frozenHand("greet")
	r.submit(greeting("a"))
	o, err := w.feed.Next(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	still.freeze()
	other := r.join(r.queue, "greet")
	other.succeed(other.claim())
	r.becomesEmpty(dispatch.Ready)
	r.forget("a")
	still.thaw()
	if _, err := w.feed.Claim(r.ctx, o); !errors.Is(err, deferred.ErrTaken) {
		r.Errorf("the claim was answered with %v, want ErrTaken", err)
	}
	w.idle(time.Second)
	other.idle(r.beyond())
	r.isForgotten("a")
}

func leaseKept(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	o, err := w.feed.Next(r.ctx)
	if err != nil {
		r.Fatal(err)
	}
	r.pass(5 * r.pair.Lease)
	a, err := w.feed.Claim(r.ctx, o)
	if err != nil {
		r.Fatal(err)
	}
	w.succeed(a)
	r.await("a", deferred.Succeeded)
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
	eventually(r.T, "the attempt is told that it is lost", func() bool { return lost.Revoked() != nil })
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
	eventually(r.T, "the attempt is told that it is lost", func() bool { return a.Revoked() != nil })
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
	r.becomesEmpty(dispatch.Ready)
}

// A worker that fires stands still in it. Another one fires, and the callback runs
// and is forgotten, while its parent, which failed, is kept.
func leaseOfAFiring(r *rig) {
	child := deferred.ChildID("a", 0)
	c := greeting("a")
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{Name: "greet", Keep: time.Minute}}}
	r.submit(c)
	w := r.join(r.queue, "greet")
	parent := w.claim()
	if err := w.feed.Settle(r.ctx, parent, deferred.Outcome{State: deferred.Failed, Failure: &deferred.Failure{Kind: "refused"}, Retry: deferred.Advice{Never: true}}); err != nil {
		r.Fatal(err)
	}
	w.succeed(w.claim())
	r.becomesEmpty(dispatch.Ready)
	r.pass(2 * time.Minute)
	r.isForgotten(child)
	r.put(dispatch.Message{
		Route: dispatch.Ready, Queue: deferred.DefaultQueue, Name: "greet", ID: child,
		Header: map[string]string{dispatch.HeaderAfter: "a", dispatch.HeaderOn: string(deferred.OnFailure)},
	})
	w.idle(2 * time.Second)
	r.becomesEmpty(dispatch.Ready)
}

func (r *rig) adoptCancelled() {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	r.cancel("a", "not needed")
	err := w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Waiting, Adopt: "inner"})
	if !errors.Is(err, deferred.ErrLost) {
		r.Errorf("the adoption was answered with %v, want ErrLost", err)
	}
}

func leaseOfACancelledAdoption(r *rig) {
	inner := greeting("inner")
	inner.Name = "unserved"
	r.submit(inner)
	r.adoptCancelled()
	r.await("inner", deferred.Cancelled)
}

func leaseOfASharedInner(r *rig) {
	inner := greeting("inner")
	inner.Name = "unserved"
	r.submit(inner)
	r.joins("other", deferred.JoinAll, false, "inner")
	r.join(r.queue, "idle")
	r.attached("inner", "other")
	r.adoptCancelled()
	r.pass(2 * time.Second)
	r.stillOpen("inner")
}

func keptAfterADeath(r *rig) {
	w, kill := r.joinMortal("greet")
	c := greeting("a")
	c.Keep = time.Minute
	r.submit(c)
	w.claim()
	kill()
	written := r.living()
	other := r.join(r.queue, "greet")
	other.succeed(other.claim())
	r.becomesEmpty(dispatch.Ready)
	if got := written.last("a"); got != 24*time.Hour {
		r.Errorf("the record is kept for %v, want a day", got)
	}
}

// stillAfter stands still after the first message of a command was stored.
type stillAfter struct {
	dispatch.Broker
	pause func()
}

func (b stillAfter) Put(ctx context.Context, m []dispatch.Message) []dispatch.Stored {
	stored := b.Broker.Put(ctx, m)
	b.pause()
	return stored
}

func leaseOfACommand(r *rig) {
	c := greeting("a")
	c.Keep = time.Minute
	r.submit(c)
	f := &freezer{Store: r.pair.Store, Broker: r.pair.Broker}
	q := r.over(frozenStore{f}, stillAfter{r.pair.Broker, f.freeze})
	ctx, stop := context.WithCancel(r.ctx)
	answered := make(chan struct{})
	go func() {
		_ = q.Open("a").Cancel(ctx, "late") // it may be answered or cut off
		close(answered)
	}()
	r.join(r.queue, "unserved")
	r.await("a", deferred.Cancelled)
	r.join(r.queue, "greet").idle(time.Second)
	r.becomesEmpty(dispatch.Ready)
	r.becomesEmpty(dispatch.Commands)
	r.pass(2 * time.Minute)
	r.isForgotten("a")
	f.thaw()
	r.pass(time.Second)
	stop()
	<-answered
	r.isForgotten("a")
}

// slowAnswer gives the answers to writes late: who watches the record sees them before.
type slowAnswer struct {
	dispatch.Store
	rig *rig
	now atomic.Bool
}

func (s *slowAnswer) Write(ctx context.Context, w []dispatch.Write) []dispatch.Written {
	written := s.Store.Write(ctx, w)
	if s.now.Load() {
		s.rig.pass(50 * time.Millisecond)
	}
	return written
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
	ctx, cancel := context.WithTimeout(r.ctx, r.pair.Lease/2)
	defer cancel()
	if _, err := w.feed.Next(ctx); err != nil {
		r.Errorf("the callback waits for the end of a lease: %v", err)
	}
}
