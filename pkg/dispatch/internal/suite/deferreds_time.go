package suite

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestDeferredsOverTime has what deferreds promise for times that only fake
// time lets pass: what is kept for minutes, and what is to happen so
// often in an interval.
func TestDeferredsOverTime(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runWithin(t, days, append([]rigCase{
		{"MemberIsKeptWhileAJoinWaitsAndForgottenAfter", memberIsKept},
		{"InnerIsKeptWhileItsAdopterWaitsAndForgottenAfter", innerIsKept},
		{"ParentIsKeptWhileACallbackIsDelayedAndForgottenAfter", parentIsKept},
		{"MembersAreKeptAsLongAsAJoinThatIsMadeOfThem", membersOfLargeJoinAreKept},
		{"MembersOfALargeJoinMayBeWrittenLater", membersAreWrittenLater},
		{"LargeResultIsKeptForAllWhoHaveIt", largeIsKeptForAdopters},
		{"RecordIsKeptByItsOutcomeOrAsItsCallSays", keptByOutcome},
		{"RecordOfNothingIsKeptForTenMinutes", keptForNothing},
		{"RecordThatWaitedIsKeptUntilItHasLetGo", keptUntilReleased},
		{"RecordIsKeptFromItsSettlingOn", keptFromSettling},
		{"NoHeaderBesideNoOtherMakesAMessageComeForEver", allExtremeHeaders},
		{"WhatIsNotNotedWithItsParentLooksBeforeThatIsForgotten", fullAndKeptShortly},
		{"SweepThatTakesLongIsMadeAgainNeitherAtOnceNorMuchLater", slowSweep},
		{"FailureIsListedAfterTheGraceTimeAndNotBefore", unhandledAfterTheGrace},
		{"MemberNobodyKnowsHasFailedLast", unknownIsLast},
		{"CallbackIsNotBegunAfterItsTimeInItsLane", beginByInTheLane},
		{"JoinOverABacklogLooksForEachMemberOnce", backlogOfAJoin},
		{"CallbacksOverABacklogAreQuiet", backlogOfParents},
		{"MemberThatDoesNotExistIsFoundOut", backlogWithAGhost},
		{"DeadlineIsKeptWhileAnOutcomeIsOnItsWay", slowOutcome},
		{"FloodOfAnnotationsIsAWriteForEachKeyAndInterval", annotationFlood},
		{"SuspectThatRunsForLongLetsOthersRunBesideIt", suspectForLong},
		{"WorkerThatLeavesKeepsWhatItDealsWithThoughAnAttemptCannotBeLookedAt", leavesAfterAGap},
	}, resultCasesOverTime...), clock, open)
}

// days bounds a case over time.
const days = 5 * 24 * time.Hour

// long is many times as long as what is kept shortly.
const long = 10 * deferred.MinKeep

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}

// kept looks whether the records are there.
func (r *rig) kept(ids ...deferred.ID) {
	r.Helper()
	for _, id := range ids {
		if _, err := r.queue.Record(r.ctx, id); err != nil {
			r.Errorf("%s: %v, want it kept", id, err)
		}
	}
}

// forgotten looks whether there is nothing left of them, nor of what was noted on them.
func (r *rig) forgotten(ids ...deferred.ID) {
	r.Helper()
	for _, id := range ids {
		if rec, err := r.queue.Record(r.ctx, id); !errors.Is(err, deferred.ErrNotFound) {
			r.Errorf("%s is %s still (%v)", id, rec.State, err)
		}
		if err := r.queue.Open(id).Annotate(r.ctx, "k", 1); !errors.Is(err, deferred.ErrNotFound) {
			r.Errorf("an annotation of %s was answered with %v", id, err)
		}
		r.noted(id, nil, false)
	}
}

// brief is a call that is kept as shortly as can be.
func brief(name string, id deferred.ID) deferred.Call {
	c := named(name, id)
	c.Keep = deferred.MinKeep
	return c
}

func memberIsKept(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(`"x"`)})
	r.submit(brief("greet", "member"), brief("greet", "alone"))
	token := r.promise("slow")
	join := deferred.NewJoin(deferred.JoinAll, r.open("member", "slow")...)
	join.ID, join.Keep = "all", deferred.MinKeep
	r.submit(join)
	r.waits("all", "member")
	r.await("member", deferred.Succeeded)
	if err := r.queue.Open("member").Annotate(r.ctx, "k", 1); err != nil {
		r.Fatal(err)
	}
	r.pass(long)
	r.kept("member", "all")
	r.forgotten("alone")
	r.resolve(token, 2)
	r.ends("all", `succeeded ["x",2]`)
	r.released("all")
	r.pass(deferred.MinKeep / 2)
	r.kept("member", "all")
	r.pass(deferred.MinKeep)
	r.forgotten("member", "all")
}

// The inner one settles while no worker is there to tell its adopter.
func innerIsKept(r *rig) {
	w, kill := r.joinMortal("one")
	r.drive(w, map[string]handler{"one": r.adopts("p")})
	p, token := deferred.NewPromise("p", "member")
	p.Keep = deferred.MinKeep
	r.submit(p, brief("one", "a"))
	r.waits("a", "p")
	kill()
	r.resolve(token, 1)
	r.pass(long)
	r.kept("a", "p")
	r.perform(nil)
	r.ends("a", `succeeded 1`)
	r.released("a")
	r.pass(2 * deferred.MinKeep)
	r.forgotten("a", "p")
}

// A callback reads its parent's outcome when it runs, which may be long after.
func parentIsKept(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(`"x"`)})
	late := brief("follow", "late")
	late.Delay = long
	r.submit(brief("greet", "p"))
	r.must(r.queue.Open("p").AddCallback(r.ctx, late))
	r.await("p", deferred.Succeeded)
	r.pass(long / 2)
	r.kept("p", "late")
	f := r.join(r.queue, "follow")
	a := f.claim()
	if got := string(a.Parent.Outcome.Result.Data); got != `"x"` {
		r.Errorf("it was given %s", got)
	}
	f.succeed(a)
	r.await("late", deferred.Succeeded)
	r.pass(2 * deferred.MinKeep)
	r.forgotten("p", "late")
}

func membersOfLargeJoinAreKept(r *rig) {
	large := `"` + strings.Repeat("x", 150<<10) + `"`
	r.perform(map[string]handler{"greet": succeeds(large)})
	r.submit(brief("greet", "a"), brief("greet", "b"))
	join := deferred.NewJoin(deferred.JoinAll, r.open("a", "b")...)
	join.ID, join.Keep = "all", 2*long
	r.submit(join)
	r.await("all", deferred.Succeeded)
	r.pass(long)
	if got := len(r.await("all", deferred.Succeeded).Result.Data); got < 300<<10 {
		r.Errorf("the result has %d bytes, want those of both members", got)
	}
	r.pass(long + deferred.MinKeep)
	r.forgotten("all", "a", "b")
}

// puts counts the messages that go out.
type puts struct {
	driver.Broker
	n atomic.Int64
}

func (b *puts) Put(ctx context.Context, m []driver.Message) []driver.Stored {
	b.n.Add(int64(len(m)))
	return b.Broker.Put(ctx, m)
}

// Needs fake time: how many intervals a loop takes on the real clock, and so how
// many writes are right, depends on the machine.
func annotationFlood(r *rig) {
	const (
		updates  = 3000 // a thousand a second, by turns on two keys
		interval = 100  // updates, in the tenth of a second in which each key is written once
	)
	counted, messages := &writesTo{Store: r.pair.Store, space: driver.Notes}, &puts{Broker: r.pair.Broker}
	w := r.join(r.over(counted, messages), "greet")
	r.submit(greeting("a"))
	a := w.claim()
	keys := []string{"even", "odd"}
	value := func(key string) (last int) {
		for n, err := range r.queue.Annotations(r.ctx, "a") {
			if err != nil {
				r.Fatal(err)
			}
			if n.Key == key {
				last, _ = strconv.Atoi(string(n.Value))
			}
		}
		return last
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := range updates {
		<-tick.C
		r.notes(a, keys[i%2], strconv.Itoa(i))
		if i%interval > 1 {
			continue
		}
		if old := i - value(keys[i%2]); old > interval+2 {
			r.Fatalf("after %d updates the value that is seen is %d updates old", i, old)
		}
	}
	tick.Stop()
	if n, most := counted.n.Load(), int64(len(keys)*(updates/interval+1)); n > most || n < most/2 {
		r.Errorf("%d writes of %d updates, want at most %d, one for each key and interval", n, updates, most)
	}
	drivertest.Eventually(r.T, "both last values are stored while the call still runs", func() bool {
		return value("even") == updates-2 && value("odd") == updates-1
	})
	r.pass(time.Second)
	before := counted.n.Load()
	r.pass(time.Minute / 2)
	if n := counted.n.Load(); n != before {
		r.Errorf("%d writes after the last update", n-before)
	}
	if n := messages.n.Load(); n != 0 {
		r.Errorf("%d messages were put by annotations", n)
	}
	for i := range 10 { // the last of these are within an interval that does not end before the call does
		r.notes(a, keys[i%2], strconv.Itoa(updates+i))
	}
	w.succeed(a)
	r.noted("a", map[string]string{"even": strconv.Itoa(updates + 8), "odd": strconv.Itoa(updates + 9)}, false)
}
