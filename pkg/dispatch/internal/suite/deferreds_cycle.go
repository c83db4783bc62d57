package suite

import (
	"strconv"

	"zasync/pkg/deferred"
)

// Of two that wait for one another one is refused, and the other one has its
// failure.
func adoptOneAnother(r *rig) {
	r.perform(map[string]handler{"one": r.adopts("b"), "two": r.adopts("a")})
	r.submit(named("one", "a"), named("two", "b"))
	r.failsWith("a", deferred.KindCycle)
	r.failsWith("b", deferred.KindCycle)
}

// The way round leads over a chain and, as the last of very many, over a join.
func adoptAround(r *rig) {
	const members = 300
	r.perform(map[string]handler{"one": r.adopts("b"), "two": r.adopts("c"), "three": r.adopts("all")})
	var calls []deferred.Call
	var ids []deferred.ID
	for i := range members {
		c, _ := deferred.NewPromise(deferred.ID("m"+strconv.Itoa(i)), "member")
		calls, ids = append(calls, c), append(ids, c.ID)
	}
	r.submit(calls...)
	r.joins("all", deferred.JoinAll, false, append(ids, "a")...)
	r.waits("all", "a")
	r.submit(named("three", "c"), named("two", "b"))
	r.waits("c", "all")
	r.waits("b", "c")
	r.submit(named("one", "a"))
	for _, id := range []deferred.ID{"a", "b", "c", "all"} {
		r.failsWith(id, deferred.KindCycle)
	}
	if f := r.await("all", deferred.Failed).Failure; f.Member != "a" {
		r.Errorf("the join has the failure of %q", f.Member)
	}
}

// Who waits for something that waits for a third is none: a cycle has to lead
// back. Also where two ways lead to the same.
func notCircular(r *rig) {
	r.perform(map[string]handler{"one": r.adopts("all"), "two": r.adopts("p")})
	token := r.promise("p")
	r.submit(named("two", "x"), named("two", "y"))
	r.waits("x", "p")
	r.waits("y", "p")
	r.joins("all", deferred.JoinAll, false, "x", "y", "p")
	r.submit(named("one", "a"))
	r.waits("a", "all")
	r.resolve(token, 1)
	r.ends("a", `succeeded [1,1,1]`)
}
