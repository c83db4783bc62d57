package suite

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

func retryLimit(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.Retries = 2
	r.submit(c)
	for want := 1; want <= 3; want++ {
		a := w.claim()
		if a.Number != want || a.Failures != want-1 {
			r.Errorf("attempt %d after %d failures, want attempt %d", a.Number, a.Failures, want)
		}
		w.fail(a, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	}
	if rec := r.await("a", deferred.Failed); rec.Counts.Failures != 3 || string(rec.Args.Data) != `"world"` {
		r.Errorf("counts %+v, arguments %s", rec.Counts, rec.Args.Data)
	}
	r.becomesEmpty(driver.Ready)
}

func snooze(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.Retries = deferred.NoRetries
	r.submit(c)
	w.fail(w.claim(), deferred.Snooze(10*time.Millisecond))
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Succeeded); rec.Counts != (deferred.Counts{}) {
		r.Errorf("counts %+v", rec.Counts)
	}
}

func declined(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	for range 3 {
		w.feed.Decline(w.offer(), "not now")
	}
	if rec, err := r.queue.Record(r.ctx, "a"); err != nil || rec.State != deferred.Pending || rec.Attempt != 0 {
		r.Errorf("%s after %d attempts (%v)", rec.State, rec.Attempt, err)
	}
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 || rec.Counts != (deferred.Counts{}) {
		r.Errorf("attempt %d, counts %+v", rec.Attempt, rec.Counts)
	}
}

func unclaimed(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	w.feed.Decline(w.claim().Offer, "no slot was free")
	a := w.claim()
	w.succeed(a)
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 || rec.Counts != (deferred.Counts{}) {
		r.Errorf("attempt %d, counts %+v", rec.Attempt, rec.Counts)
	}
}

func interrupted(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	if err := w.feed.Settle(r.ctx, w.claim(), deferred.Outcome{State: deferred.Pending}); err != nil {
		r.Fatal(err)
	}
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Succeeded); rec.Counts != (deferred.Counts{}) {
		r.Errorf("counts %+v", rec.Counts)
	}
}

// record makes the record of a call that died with its worker so many times.
func (r *rig) died(id deferred.ID, deaths int) {
	r.Helper()
	r.write(id, func(rec *deferred.Record) {
		rec.State, rec.Attempt, rec.Counts.Deaths = deferred.Running, deaths+1, deaths
		rec.Token = deferred.Token{Worker: "gone", Attempt: deaths + 1}
	})
}

func poisoned(r *rig) {
	c := withErrback("a")
	r.submit(c)
	r.died("a", 2)
	w, house := r.join(r.queue, "greet"), r.join(r.queue, "mend")
	for range 2 { // the worker is new: it has to watch for a while before it judges anybody dead
		w.idle(r.beyond() / 2)
	}
	rec := r.await("a", deferred.Failed)
	if rec.Failure.Kind != deferred.KindPoison || rec.Counts.Deaths != 3 {
		r.Errorf("kind %q after %d deaths", rec.Failure.Kind, rec.Counts.Deaths)
	}
	house.succeed(house.claim())
	r.await(deferred.ChildID("a", 0), deferred.Succeeded)
}

func suspects(r *rig) {
	for _, id := range []deferred.ID{"a", "b"} {
		r.submit(greeting(id))
		r.died(id, 1)
	}
	w := r.join(r.queue, "greet")
	first := w.claim()
	if !first.Suspect {
		r.Error("it is not known as a suspect")
	}
	w.idle(2 * time.Second)
	w.succeed(first)
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
	r.await("b", deferred.Succeeded)
}

// A fleet that was restarted twice has nothing but suspects.
func suspectForLong(r *rig) {
	for _, id := range []deferred.ID{"a", "b", "c"} {
		r.submit(greeting(id))
		r.died(id, 1)
	}
	w := r.join(r.queue, "greet")
	first := w.claim()
	w.idle(20 * time.Second)
	second := w.claim() // while the first runs
	w.idle(20 * time.Second)
	w.succeed(first)
	w.succeed(second)
	w.succeed(w.claim())
}

func beginBy(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.BeginBy = time.Now().Add(2 * time.Second)
	r.submit(c)
	o := w.offer()
	late := time.NewTimer(3 * time.Second)
	<-late.C
	if _, err := w.feed.Claim(r.ctx, o); !errors.Is(err, deferred.ErrTaken) {
		r.Errorf("the claim was answered with %v", err)
	}
	if rec := r.await("a", deferred.Expired); !errors.Is(rec.Failure, deferred.ErrExpired) {
		r.Errorf("failure %v", rec.Failure)
	}
	r.becomesEmpty(driver.Ready)
}

func largeResult(r *rig) {
	w := r.join(r.queue, "greet")
	for extra, want := range map[int]deferred.State{-1: deferred.Succeeded, 0: deferred.Succeeded, 1: deferred.Failed} {
		id := deferred.ID("a" + string(want) + string(rune('b'+extra)))
		r.submit(greeting(id))
		result := deferred.Content{Type: deferred.TypeBytes, Data: make([]byte, deferred.MaxResultSize+extra)}
		if err := w.feed.Settle(r.ctx, w.claim(), deferred.Outcome{State: deferred.Succeeded, Result: result}); err != nil {
			r.Fatal(err)
		}
		if rec := r.await(id, want); want == deferred.Failed && rec.Failure.Kind != deferred.KindResultSize {
			r.Errorf("kind %q", rec.Failure.Kind)
		}
	}
}
