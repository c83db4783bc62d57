package suite

import (
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

// What waits for very long, a signal to stop, say, takes part in one race after
// the other, and keeps nothing of them.
func goneLeaveNothing(r *rig) {
	stop, _ := deferred.NewPromise("stop", "signal")
	r.submit(stop)
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	for i := range 10 {
		job := deferred.ID(fmt.Sprintf("job%d", i))
		r.submit(named("greet", job))
		j := deferred.NewJoin(deferred.JoinRace, r.queue.Open(job), r.queue.Open("stop"))
		j.ID = deferred.ID(fmt.Sprintf("race%d", i))
		r.submit(j)
		r.gives(j.ID, `1`)
	}
	drivertest.Eventually(r.T, "nothing is left of the races", func() bool { return len(r.record("stop").Callbacks) == 0 })
}

// Of those that have waited for what has settled, and is kept for another one, so
// many are remembered and no more.
func goneFromASettledOne(r *rig) {
	r.write("p", func(rec *deferred.Record) {
		settledRecord(rec, deferred.Succeeded, 1)
		rec.Callbacks = []deferred.RecordedCallback{{On: deferred.OnBoth, ID: "another", Waiter: true, Fired: true}}
		for i := range 200 {
			c := deferred.RecordedCallback{On: deferred.OnBoth, ID: deferred.ID(fmt.Sprintf("gone%d", i)), Waiter: true, Fired: true, Settled: true}
			rec.Callbacks = append(rec.Callbacks, c)
		}
	})
	r.perform(nil)
	j := deferred.NewJoin(deferred.JoinAllSettled, r.queue.Open("p"))
	j.ID = "j"
	r.submit(j)
	r.await("j", deferred.Succeeded)
	r.becomesEmpty(driver.Later)
	rec := r.record("p")
	if n := len(rec.Callbacks); n > 100 || rec.Attached("another") == nil || rec.Attached("j") == nil {
		r.Errorf("it remembers %d, and not the right ones: %+v", n, rec.Callbacks)
	}
}

// An id that was forgotten may be used again, also for what waits for the same.
func goneIDIsUsedAgain(r *rig) {
	slow, token := deferred.NewPromise("slow", "approval")
	r.queue = r.forgetful()
	r.submit(slow, named("greet", "fast"))
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	j := deferred.NewJoin(deferred.JoinRace, r.queue.Open("fast"), r.queue.Open("slow"))
	j.ID = "daily"
	r.submit(j)
	r.isForgotten("daily")
	r.waitsAgain(token)
}

// The same with the mark that workers of an earlier version left.
func goneMarkIsOfNobody(r *rig) {
	slow, token := deferred.NewPromise("slow", "approval")
	r.submit(slow)
	r.perform(nil)
	drivertest.Eventually(r.T, "it waits", func() bool { return r.record("slow").State == deferred.Waiting })
	r.write("slow", func(rec *deferred.Record) {
		rec.Callbacks = []deferred.RecordedCallback{{On: deferred.OnBoth, ID: "daily", Waiter: true, Fired: true, Settled: true}}
	})
	r.waitsAgain(token)
}

func (r *rig) waitsAgain(token deferred.PromiseToken) {
	r.Helper()
	k := deferred.NewJoin(deferred.JoinAll, r.queue.Open("slow"))
	k.ID = "daily"
	r.submit(k)
	drivertest.Eventually(r.T, "the join waits", func() bool {
		slow := r.record("slow")
		e := slow.Attached("daily")
		return e != nil && !e.Settled
	})
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); err != nil {
		r.Fatal(err)
	}
	r.gives("daily", `[1]`)
}

// A call that is set aside keeps nothing.
func goneParentOfACallSetAside(r *rig) {
	r.queue = r.forgetful()
	w := r.join(r.queue, "greet")
	r.submit(greeting("p"), greeting("a"))
	var a *deferred.Attempt
	for range 2 {
		if next := w.claim(); next.ID == "a" {
			a = next
		} else {
			w.succeed(next)
		}
	}
	r.put(driver.Message{
		Route: driver.Later, Queue: deferred.DefaultQueue, Name: "greet", ID: "a", Body: []byte(`"moon"`),
		Header: map[string]string{wire.HeaderContentType: deferred.TypeJSON, wire.HeaderAfter: "p", wire.HeaderOn: "both"},
	})
	drivertest.Eventually(r.T, "the other call is set aside", func() bool { return r.pending(driver.Aside) == 1 })
	w.succeed(a)
	r.isForgotten("p")
	r.isForgotten("a")
}
