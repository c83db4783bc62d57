package suite

import (
	"errors"
	"slices"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestLeases has, for each thing that a worker may hold, what becomes of it when the
// worker stood still for longer than its lease was good.
func TestLeases(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runCases(t, leaseCases, clock, open)
}

var leaseCases = slices.Concat([]rigCase{
	{"Rule12OfferWhoseLeaseHadAGapIsNotClaimed", leaseOfAnOffer},
	{"OfferOfAnUnbrokenLeaseIsClaimedLate", leaseKept},
	{"CancelledAdoptionPassesTheCancelOn", leaseOfACancelledAdoption},
	{"CancelledAdoptionSparesWhatOthersWaitFor", leaseOfASharedInner},
	{"RecordOfACallWhoseWorkerDiedIsKeptForADay", keptAfterADeath},
	{"WorkerIsNotTakenForDeadWhenHeartbeatsAreWiped", leaseWhenHeartbeatsAreWiped},
	{"LateCommandMakesNoRecord", leaseOfACommand},
	{"CallerThatStoodStillWhileItsCommandWasStoredMakesNoRecord", leaseOfACaller},
	{"CallerThatStoodStillIsAnsweredThoughItsPromiseIsNotThereYet", leaseOfAnEarlyWord},
}, attemptLeaseCases, firingLeaseCases, parkLeaseCases, houseLeaseCases)

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
	r.becomesEmpty(driver.Ready)
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
	r.becomesEmpty(driver.Ready)
	if got := written.last("a"); got != 24*time.Hour {
		r.Errorf("the record is kept for %v, want a day", got)
	}
}
