package suite

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

var seenCases = []rigCase{
	{"FailureSomebodyHasWatchedIsListedNoLonger", unhandledIsWatched},
	{"FailureAnErrbackTookOnIsNotListedBesideIt", takenBeside},
	{"FailureALateErrbackTookOnIsNotListedBesideIt", takenBesideLate},
	{"FailureNobodyTookOnIsListedWhereverItCameDown", takenByNobody},
	{"WordThatWasNotAnsweredOnceSilencesNobody", oneHiccup},
}

// listsOver is a queue that lists failures soon.
func (r *rig) listsOver(b driver.Broker) *dispatch.Queue {
	return dispatch.New(r.pair.Store, b, dispatch.Config{Lease: r.pair.Lease, UnhandledGrace: time.Second, Logger: silent()})
}

func unhandledIsWatched(r *rig) {
	q := failedForGood(r, "watched", "left")
	drivertest.Eventually(r.T, "both are listed", func() bool { return listsUnhandled(r, q, "watched", "left") })
	for c, err := range q.Watch(r.ctx, "watched") {
		if err != nil {
			r.Fatal(err)
		}
		if c.Record.State.Settled() {
			break // who has seen the end may go
		}
	}
	drivertest.Eventually(r.T, "what somebody has watched is listed no longer", func() bool { return listsUnhandled(r, q, "left") })
}

// takes has calls of "greet" fail, and of "mend" succeed.
func (r *rig) failsAndMends() {
	r.perform(map[string]handler{"greet": fails("odd"), "mend": succeeds(`"mended"`), "follow": succeeds(`1`)})
}

// listsAtLast fails unless these, and only these, are listed in the end.
func (r *rig) listsAtLast(want ...deferred.ID) {
	r.Helper()
	q := r.listsOver(r.pair.Broker)
	r.becomesEmpty(driver.Commands)
	drivertest.Eventually(r.T, "these are listed", func() bool { return listsUnhandled(r, q, want...) })
	grace := time.NewTimer(2 * time.Second)
	<-grace.C
	if !listsUnhandled(r, q, want...) {
		r.Errorf("more is listed after the grace time than %v", want)
	}
}

// What hangs on the callback that did not run is told of the same failure.
func takenBeside(r *rig) {
	last := deferred.Call{Name: "follow", Callbacks: []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "follow"}}}}
	c := named("greet", "p")
	c.Callbacks = []deferred.Callback{
		{On: deferred.OnSuccess, Call: deferred.Call{Name: "follow", Callbacks: []deferred.Callback{{On: deferred.OnSuccess, Call: last}}}},
		{On: deferred.OnFailure, Call: deferred.Call{Name: "mend"}},
	}
	r.submit(c)
	r.failsAndMends()
	id := deferred.ID("p")
	for range 4 {
		r.comesToBe(id, "has failed", func(rec *deferred.Record) bool { return rec.State == deferred.Failed })
		if rec := r.record(id); !rec.Handled {
			r.Errorf("%s has the failure that an errback took on, and is not handled", id)
		}
		id = deferred.ChildID(id, 0)
	}
	r.gives(deferred.ChildID("p", 1), `"mended"`)
	r.listsAtLast()
}

func takenBesideLate(r *rig) {
	r.submit(named("greet", "p"))
	house := r.join(r.queue, "unused")
	r.must(r.queue.Open("p").AddCallback(r.ctx, named("follow", "late")))
	r.must(r.queue.Open("p").AddErrback(r.ctx, named("mend", "errback")))
	r.waits("late", "p")
	r.waits("errback", "p")
	r.drive(house, map[string]handler{"greet": fails("odd"), "mend": succeeds(`"mended"`)})
	r.gives("errback", `"mended"`)
	r.comesToBe("late", "has failed", func(rec *deferred.Record) bool { return rec.State == deferred.Failed })
	r.listsAtLast()
}

// Two that wait for a success, and an errback for another kind, take nothing on.
func takenByNobody(r *rig) {
	c := named("greet", "p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Kinds: []string{"even"}, Call: deferred.Call{Name: "mend"}}}
	r.submit(c)
	house := r.join(r.queue, "unused")
	for _, id := range []deferred.ID{"first", "second"} {
		r.must(r.queue.Open("p").AddCallback(r.ctx, named("follow", id)))
		r.waits(id, "p")
	}
	r.drive(house, map[string]handler{"greet": fails("odd")})
	other := deferred.ChildID("p", 0)
	for _, id := range []deferred.ID{"first", "second", other} {
		r.comesToBe(id, "has failed", func(rec *deferred.Record) bool { return rec.State == deferred.Failed })
		if r.record(id).Handled {
			r.Errorf("%s is handled, and nobody took the failure on", id)
		}
	}
}

// hiccup lets the first word that a failure was seen hang until its giver gives up.
type hiccup struct {
	driver.Broker
	over atomic.Bool
}

func (b *hiccup) Put(ctx context.Context, m []driver.Message) []driver.Stored {
	if m[0].Verb == string(deferred.Handle) && !b.over.Swap(true) {
		<-ctx.Done()
		return []driver.Stored{{Err: driver.ErrUnknown}}
	}
	return b.Broker.Put(ctx, m)
}

func oneHiccup(r *rig) {
	q := failedForGood(r, "first", "second")
	client := r.listsOver(&hiccup{Broker: r.pair.Broker})
	for _, id := range []deferred.ID{"first", "second"} {
		if rec, err := client.Await(r.ctx, id); err != nil || errors.Is(rec.Failure, deferred.ErrExpired) {
			r.Fatal(rec.Failure, err)
		}
	}
	drivertest.Eventually(r.T, "the second is listed no longer", func() bool { return listsUnhandled(r, q, "first") })
}
