package suite

import (
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// What a message does not do, because its subject gives no right to it.
var rightsCases = []rigCase{
	{"RaceThatACancelledMemberDecidesSparesTheOthers", raceOfACancelledOne},
	{"JoinThatCancelsTheRestIsMalformedUnlessItIsACommand", joinsByTheWrongWay},
	{"JoinThatIsACommandIsKnownBeforeItIsMet", joinByCommandUnmet},
	{"JoinThatIsACommandAndCannotBeUnderstoodFails", joinByCommandMalformed},
}

// Who joins a deferred to one that was cancelled before has no right to cancel it.
func raceOfACancelledOne(r *rig) {
	r.perform(nil)
	r.promise("gone")
	r.cancel("gone", "no")
	victim := r.promise("victim")
	r.becomesEmpty(driver.Later)
	r.joins("race", deferred.JoinRace, false, "victim", "gone")
	r.await("race", deferred.Cancelled)
	r.released("race")
	r.stillOpen("victim")
	r.resolve(victim, 1)
}

func joinsByTheWrongWay(r *rig) {
	r.perform(nil)
	fast, victim := r.promise("fast"), r.promise("victim")
	for _, route := range []driver.Route{driver.Later, driver.Ready} {
		id := deferred.ID("by-" + route)
		r.put(driver.Message{
			Route: route, Queue: deferred.DefaultQueue, Name: "unused", ID: id, Body: []byte(`["victim","fast"]`),
			Header: map[string]string{wire.HeaderJoin: string(deferred.JoinRace), wire.HeaderCancelRest: "true"},
		})
	}
	r.resolve(fast, 1)
	r.failsWith("by-later", deferred.KindMalformed)
	r.stillOpen("victim")
	r.resolve(victim, 1)
}

func joinByCommandUnmet(r *rig) {
	fast := r.promise("fast")
	r.promise("slow")
	j := joinOf("j", deferred.JoinRace, "slow", "fast")
	j.Queue, j.Join.CancelRest = "low", true
	r.submit(j)
	if rec, err := r.queue.Record(r.ctx, "j"); err != nil || rec.State != deferred.Waiting || rec.Queue != "low" || !rec.Waits.CancelRest {
		r.Errorf("it is shown as %s in queue %q (%v)", rec.State, rec.Queue, err)
	}
	listed := 0
	for rec, err := range r.queue.List(r.ctx, dispatch.Filter{Queue: "low"}) {
		if err != nil || rec.ID != "j" {
			r.Errorf("listed is %s (%v)", rec.ID, err)
		}
		listed++
	}
	if listed != 1 {
		r.Errorf("%d are listed, want the join", listed)
	}
	if again, err := deferred.SubmitOne(r.ctx, r.queue, j); err != nil || !again.Existed() {
		r.Errorf("submitted again: %v, %v", again, err)
	}
	r.perform(nil)
	r.resolve(fast, 1)
	r.ends("j", `succeeded 1`)
	r.await("slow", deferred.Cancelled)
}

func joinByCommandMalformed(r *rig) {
	r.perform(nil)
	for id, header := range map[deferred.ID]map[string]string{
		"no-name": {wire.HeaderJoin: "all"},
		"no-mode": {wire.HeaderName: "n"},
		"a-term":  {wire.HeaderJoin: "all", wire.HeaderName: "n", wire.HeaderDelay: "1h"},
	} {
		r.put(driver.Message{Route: driver.Commands, Verb: driver.VerbJoin, ID: id, Header: header, Body: []byte(`[]`)})
		r.failsWith(id, deferred.KindMalformed)
	}
	if n := r.pending(driver.Aside); n != 3 {
		r.Errorf("%d messages are set aside, want all three", n)
	}
}
