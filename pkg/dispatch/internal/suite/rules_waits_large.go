package suite

import (
	"strconv"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// largeAll is a join whose result is in the records of its members: it has to keep
// them until all that hangs on it has settled.
func largeAll(callbacks ...deferred.Callback) deferred.Call {
	c := joinOf("large", deferred.JoinAll, "a", "b")
	c.Callbacks = callbacks
	return c
}

// largeMembers are settled before the join is submitted: so nothing but what hangs
// on it has it looked at again.
func (r *rig) largeMembers() {
	r.perform(map[string]handler{"greet": succeeds(huge)})
	r.submit(named("greet", "a"), named("greet", "b"))
	r.await("a", deferred.Succeeded)
	r.await("b", deferred.Succeeded)
}

// refuseWake is a queue that cannot put the first wake of the join for which now
// holds.
func (r *rig) refuseWake(now func() bool) (q *dispatch.Queue, refused *atomic.Bool) {
	refused = new(atomic.Bool)
	return r.tap(tapped{put: func(m driver.Message) error {
		if m.Verb == "wake" && m.ID == "large" && now() && refused.CompareAndSwap(false, true) {
			return errOnce
		}
		return nil
	}}), refused
}

// The last callback has marked itself as settled in the join's record, and the wake
// that says so is refused: when the step is done again the mark stands already.
func untoldByCallback(r *rig) {
	q, refused := r.refuseWake(func() bool {
		rec := r.record("large")
		return len(rec.Callbacks) == 1 && rec.Callbacks[0].Settled
	})
	r.queue = q
	r.largeMembers()
	r.submit(largeAll(deferred.Callback{On: deferred.OnSuccess, Call: deferred.Call{Name: "mend"}}))
	r.await("large", deferred.Succeeded)
	w := r.join(r.queue, "mend")
	callback := w.claim()
	r.becomesEmpty(driver.Commands) // only the callback's word will have the join looked at
	if rec := r.record("large"); released(&rec) {
		r.Error("the join has let go of its members while its callback runs")
	}
	w.succeed(callback)
	r.comesToBe("large", "lets go of its members", released)
	if !refused.Load() {
		r.Error("no wake was refused: this case says nothing")
	}
}

// The same when what hangs on the join is another join.
func untoldByJoin(r *rig) {
	q, refused := r.refuseWake(func() bool {
		rec := r.record("large")
		outer := rec.Attached("outer")
		return outer != nil && outer.Settled
	})
	r.queue = q
	r.largeMembers()
	r.submit(gate, joinOf("outer", deferred.JoinAll, "large", "gate"))
	r.becomesEmpty(driver.Later) // it has attached itself
	r.submit(largeAll())
	r.await("large", deferred.Succeeded)
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, true); err != nil {
		r.Fatal(err)
	}
	r.comesToBe("large", "lets go of its members", released)
	r.gives("outer", "[["+huge+","+huge+"],true]")
	if !refused.Load() {
		r.Error("no wake was refused: this case says nothing")
	}
}

// The members are kept for a little longer than the join whose result is made of theirs, from
// when it has let go of them.
func largeMembersAreKept(r *rig) {
	spy := &ttls{Store: r.pair.Store, last: map[string]time.Duration{}}
	r.queue = r.over(spy, r.pair.Broker)
	r.largeMembers()
	c := largeAll()
	c.Keep = 5 * time.Hour
	r.submit(c)
	r.comesToBe("large", "lets go of its members", released)
	for _, id := range []deferred.ID{"a", "b", "large"} {
		if ttl := spy.of(id); ttl < c.Keep || ttl > c.Keep+time.Minute {
			r.Errorf("%s is kept for %v, want %v and not much more", id, ttl, c.Keep)
		}
	}
}

// A callback under a join that passes its result on has the whole of it, and so have
// those below, whose records refer to the join as well.
func largeResultIsPassedOn(r *rig) {
	r.perform(map[string]handler{"mend": func(a *deferred.Attempt) (string, error) {
		return strconv.Itoa(len(a.Parent.Outcome.Result.Data)), nil
	}})
	r.largeMembers()
	below := deferred.Callback{On: deferred.OnSuccess, Call: deferred.Call{Name: "mend"}}
	errback := deferred.Callback{On: deferred.OnFailure, Call: deferred.Call{Name: "nobody", Callbacks: []deferred.Callback{below}}}
	r.submit(largeAll(errback), joinOf("any", deferred.JoinAny, "large"), joinOf("list", deferred.JoinAllSettled, "large"))
	whole := "[" + huge + "," + huge + "]"
	r.gives("large", whole)
	r.gives("any", whole)
	r.gives(child("large", 0), whole)
	r.gives(child("large", 0, 0), strconv.Itoa(len(whole)))
	r.gives("list", `[{"id":"large","state":"succeeded","result":`+whole+`}]`)
}
