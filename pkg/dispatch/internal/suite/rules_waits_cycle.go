package suite

import (
	"errors"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// Three that wait for one another: whoever comes last finds it out, and the others
// settle with it.
func cycleOfThree(r *rig) {
	r.perform(nil)
	for _, c := range []deferred.Call{
		joinOf("a", deferred.JoinAll, "b"), joinOf("b", deferred.JoinRace, "c"), joinOf("c", deferred.JoinAny, "d", "a"),
	} {
		r.submit(c)
		r.becomesEmpty(driver.Later)
	}
	for _, id := range []deferred.ID{"a", "b", "c"} {
		r.failsWith(id, deferred.KindCycle)
	}
	r.comesToBe("d", "is let go of", unwanted("c"))
}

// What has settled waits for nothing any more, whatever it has waited for.
func noCycleOverWhatHasSettled(r *rig) {
	r.perform(nil)
	r.openGate()
	r.submit(joinOf("race", deferred.JoinRace, "gate", "later"))
	r.becomesEmpty(driver.Later)
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 1); err != nil {
		r.Fatal(err)
	}
	r.gives("race", `1`)
	r.submit(joinOf("later", deferred.JoinAll, "race"))
	r.gives("later", `[1]`)
}

// A member may be added that waits for the join itself.
func cycleByAddition(r *rig) {
	r.perform(nil)
	r.openGate()
	r.submit(joinOf("outer", deferred.JoinAll, "inner"))
	inner := r.must(deferred.SubmitOne(r.ctx, r.queue, joinOf("inner", deferred.JoinAll, "gate")))
	r.comesToBe("inner", "waits", waiting)
	r.comesToBe("outer", "waits", waiting)
	var settled *deferred.SettledError // the worker may be as quick as that
	if err := inner.AddMembers(r.ctx, r.queue.Open("outer")); err != nil && !errors.As(err, &settled) {
		r.Fatal(err)
	}
	r.failsWith("inner", deferred.KindCycle)
	r.failsWith("outer", deferred.KindCycle)
}
