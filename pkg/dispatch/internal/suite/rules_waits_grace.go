package suite

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// graceless is a queue that waits for nobody whom it does not know.
func (r *rig) graceless() *dispatch.Queue {
	return dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, ParentGrace: -time.Second, Logger: silent()})
}

// A member whose message stands in a lane is known, though no worker has met it;
// one that waits has no message any more, and is known by its record.
func knownMembers(r *rig) {
	r.queue = r.graceless()
	r.perform(nil)
	r.submit(named("greet", "stands"))
	r.openGate()
	for id, member := range map[deferred.ID]deferred.ID{"of-stands": "stands", "of-gate": "gate", "of-nobody": "nobody"} {
		r.submit(joinOf(id, deferred.JoinAll, member))
	}
	r.failsWith("of-nobody", deferred.KindParentUnknown)
	r.becomesEmpty(driver.Later)
	for _, id := range []deferred.ID{"of-stands", "of-gate"} {
		r.put(driver.Message{Route: driver.Commands, Verb: "wake", ID: id})
		r.becomesEmpty(driver.Commands)
		if rec := r.record(id); rec.State != deferred.Waiting {
			r.Errorf("%s is %s (%v)", id, rec.State, rec.Failure)
		}
	}
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 2); err != nil {
		r.Fatal(err)
	}
	r.gives("of-stands", `[1]`)
	r.gives("of-gate", `[2]`)
}

// One that nobody knows settled after all others, whichever place it has.
func unknownMemberIsLast(r *rig) {
	r.queue = r.graceless()
	r.submit(named("bad", "known"))
	r.perform(map[string]handler{"bad": fails("odd")})
	r.await("known", deferred.Failed)
	r.submit(joinOf("all", deferred.JoinAll, "nobody", "known", "no-one"), joinOf("race", deferred.JoinRace, "nobody", "known", "no-one"))
	r.failsWith("all", "odd")
	r.failsWith("race", "odd")
}

// Of members that had all settled before, the first by the time of its settling
// decides.
func earliestDecides(r *rig) {
	for i, id := range []deferred.ID{"third", "first", "second"} {
		r.write(id, func(rec *deferred.Record) {
			settledRecord(rec, deferred.Succeeded, int64([]int{30, 10, 20}[i]))
			rec.Result = deferred.JSON([]byte(`"` + string(id) + `"`))
		})
	}
	r.perform(nil)
	for _, m := range []deferred.JoinMode{deferred.JoinAny, deferred.JoinRace} {
		r.submit(joinOf(deferred.ID(m), m, "third", "first", "second"))
		r.gives(deferred.ID(m), `"first"`)
	}
}

// A race is decided by a member that nobody knows, too, once its grace time is over.
func raceOfAnUnknown(r *rig) {
	r.perform(nil)
	r.openGate()
	r.submit(joinOf("race", deferred.JoinRace, "gate", "nobody"))
	r.failsWith("race", deferred.KindParentUnknown)
}
