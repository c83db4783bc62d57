package suite

import (
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// What a deferred waits for, and what its result is made of.
var freshMemberCases = []rigCase{
	{"join_is_decided_by_the_first_though_that_seems_open", firstSeemsOpen},
	{"source_of_what_seems_to_hold_it_still_is_held_again", seemsToHold},
	{"callback_of_what_seems_to_have_settled_before_waits", parentSeemsEarlier},
}

// The first has settled before the second, and the wake is from the second.
func firstSeemsOpen(r *rig) {
	_, still := r.lagging(driver.Commands)
	for mode, state := range map[deferred.JoinMode]deferred.State{
		deferred.JoinAll: deferred.Failed, deferred.JoinAny: deferred.Succeeded, deferred.JoinRace: deferred.Succeeded,
	} {
		first, second := deferred.ID(fmt.Sprint(mode, "-1")), deferred.ID(fmt.Sprint(mode, "-2"))
		join := deferred.ID(mode)
		for _, id := range []deferred.ID{first, second} {
			r.write(id, func(rec *deferred.Record) { rec.State, rec.Seen, rec.Name = deferred.Pending, true, "nobody" })
		}
		r.submit(joinOf(join, mode, first, second))
		r.knowsOf(first, join)
		r.knowsOf(second, join)
		r.becomesEmpty(driver.Later)
		still.stop(first)
		for i, id := range []deferred.ID{first, second} {
			r.write(id, func(rec *deferred.Record) {
				settledRecord(rec, state, int64(10*(i+1)))
				rec.Result = deferred.JSON([]byte("1"))
			})
		}
		r.put(driver.Message{Route: driver.Commands, Verb: "wake", ID: join, Body: []byte(`{"from":"` + string(second) + `"}`)})
		if rec, err := r.queue.Await(r.ctx, join); err != nil || rec.Waits.Winner != first {
			r.Errorf("%s was decided by %s (%v), want %s", mode, rec.Waits.Winner, err, first)
		}
	}
}

// outer refers to inner, and that to p; both have let go of what they refer to. Then
// something is hung on outer by a worker to whom inner seems to hold p still.
func seemsToHold(r *rig) {
	r.drive(r.takes(r.pair.Store), map[string]handler{"greet": succeeds(sizable)})
	house := r.join(r.queue, "nothing")
	r.letGoChain("p", "inner", "outer")
	for _, route := range []driver.Route{driver.Ready, driver.Later, driver.Commands} {
		r.becomesEmpty(route)
	}
	house.leaveNow()
	rec := r.record("inner")
	rec.Holds, rec.Waits.Released = true, false
	value, err := rec.MarshalJSON()
	if err != nil {
		r.Fatal(err)
	}
	still := r.standstill()
	still.tell(driver.Entry{Key: drivertest.RecordKey("inner"), Value: value, Revision: 1})
	r.join(r.over(still, r.pair.Broker), "nothing")
	r.must(r.queue.Open("outer").AddCallback(r.ctx, named("nobody", "c")))
	for id, taker := range map[deferred.ID]deferred.ID{"inner": "outer", "p": "inner"} {
		r.comesToBe(id, "is held again", func(rec *deferred.Record) bool { return !rec.Attached(taker).Settled })
	}
}

// The id of the parent is used again, and the replica tells of the outcome of an
// earlier one.
func parentSeemsEarlier(r *rig) {
	w, still := r.lagging(driver.Later)
	w.fail(w.claims(named("greet", "p"))[0], kindError("earlier"))
	r.becomesEmpty(driver.Ready)
	still.stop("p")
	r.forget("p")
	late := r.join(r.over(still, routed{r.pair.Broker, func(route driver.Route) bool { return route == driver.Ready }}), "follow")
	a := w.claims(named("greet", "p"))[0]
	r.must(r.queue.Open("p").AddBoth(r.ctx, named("follow", "c")))
	r.comesToBe("c", "waits", waiting)
	w.succeed(a)
	a = late.claim()
	if o := a.Parent.Outcome; o.State != deferred.Succeeded {
		r.Errorf("it was given what was %s before", o.State)
	}
	late.succeed(a)
}
