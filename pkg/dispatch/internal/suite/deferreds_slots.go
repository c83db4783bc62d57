package suite

import (
	"errors"
	"strconv"
	"time"

	"zasync/pkg/deferred"
)

// One slot is enough for any number that wait for one another.
func adoptDeep(r *rig) {
	const depth = 8
	w := r.join(r.queue, "nest")
	w.feed.Want(w.lane, 1)
	level := func(n int) deferred.ID { return deferred.ID("level" + strconv.Itoa(n)) }
	for n := range depth {
		r.submit(named("nest", level(n)))
		a := w.claim()
		if a.ID != level(n) {
			r.Fatalf("%s was given, want %s", a.ID, level(n))
		}
		w.fail(a, deferred.Adopt(r.queue.Open(level(n+1))))
		r.waits(level(n), level(n+1))
	}
	r.submit(named("nest", level(depth)))
	w.succeed(w.claim())
	for n := range depth {
		r.ends(level(n), `succeeded "done"`)
	}
}

// The slot is free while the outcome is still on its way to the store: the next
// call begins before it is stored that the one before waits, or has ended.
func slotIsFree(r *rig) {
	for name, end := range map[string]deferred.Outcome{
		"waits": deferred.OutcomeOf(deferred.Adopt(r.queue.Open("inner"))),
		"ends":  {State: deferred.Succeeded, Result: deferred.JSON([]byte(`"done"`))},
	} {
		id, next := deferred.ID(name), deferred.ID(name+"-next")
		s := &meddler{Store: r.pair.Store, before: func(rec *deferred.Record) bool {
			return rec.ID == id && rec.Attempt == 1 && rec.State != deferred.Running
		}}
		w := r.join(r.over(s, r.pair.Broker), name)
		w.feed.Want(w.lane, 1)
		r.submit(named(name, id))
		a := w.claim()
		r.submit(named(name, next))
		came := false
		s.meddle = func() {
			w.succeed(w.claim())
			came = true
		}
		if err := w.feed.Settle(r.ctx, a, end); err != nil {
			r.Fatal(err)
		}
		r.ends(next, `succeeded "done"`)
		if !came {
			r.Errorf("the outcome of %s was never stored", id)
		}
	}
	r.submit(named("inner", "inner"))
	inner := r.join(r.queue, "inner")
	inner.succeed(inner.claim())
	r.ends("waits", `succeeded "done"`)
	r.ends("ends", `succeeded "done"`)
}

// A store may take long to say that an outcome is there. The deadline of the call
// is kept meanwhile. The one without a deadline is for the race detector: it is
// looked at all the time too, and what is looked at changes after the commit.
func slowOutcome(r *rig) {
	token := r.promise("p")
	for _, id := range []deferred.ID{"bounded", "unbounded"} {
		s := &meddler{Store: r.pair.Store, before: func(rec *deferred.Record) bool {
			return rec.ID == id && rec.State == deferred.Waiting
		}}
		s.meddle = func() { r.pass(time.Minute) }
		w := r.join(r.over(s, r.pair.Broker), string(id))
		c := named(string(id), id)
		if id == "bounded" {
			c.Deadline = time.Now().Add(time.Minute / 2)
		}
		r.submit(c)
		err := w.feed.Settle(r.ctx, w.claim(), deferred.OutcomeOf(deferred.Adopt(r.queue.Open("p"))))
		if err != nil && !errors.Is(err, deferred.ErrLost) {
			r.Fatal(err)
		}
	}
	r.await("bounded", deferred.Expired)
	r.waits("unbounded", "p")
	r.resolve(token, 1)
	r.ends("unbounded", `succeeded 1`)
}
