package suite

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver/drivertest"
)

func adoptThree(r *rig) {
	r.perform(map[string]handler{
		"one":   func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("b")) },
		"two":   func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("c")) },
		"three": succeeds(`"inner"`),
	})
	r.submit(named("one", "a"), named("two", "b"), named("three", "c"))
	r.gives("a", `"inner"`)
}

func adoptCycle(r *rig) {
	r.perform(map[string]handler{"one": func(a *deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open(a.ID)) }})
	r.submit(named("one", "a"))
	r.failsWith("a", deferred.KindCycle)
}

func adoptCancel(r *rig) {
	r.perform(map[string]handler{"one": func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("b")) }})
	r.submit(named("one", "a"), named("nobody", "b"))
	drivertest.Eventually(r.T, "it waits", func() bool {
		rec, err := r.queue.Record(r.ctx, "a")
		return err == nil && rec.State == deferred.Waiting
	})
	if err := r.queue.Open("a").Cancel(r.ctx, ""); err != nil {
		r.Fatal(err)
	}
	r.await("b", deferred.Cancelled)
}

func innerCancelled(r *rig) {
	r.perform(map[string]handler{"one": func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("b")) }})
	r.submit(named("one", "a"), named("nobody", "b"))
	if err := r.queue.Open("b").Cancel(r.ctx, ""); err != nil {
		r.Fatal(err)
	}
	r.await("a", deferred.Cancelled)
}

func deadlineRunning(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.Deadline = time.Now().Add(2 * time.Second)
	r.submit(c)
	a := w.claim()
	cause := make(chan error, 1)
	a.OnRevoke(func(err error) { cause <- err })
	if err := <-cause; !errors.Is(err, deferred.ErrExpired) {
		r.Errorf("revoked because of %v", err)
	}
	r.await("a", deferred.Expired)
}

func deadlineScheduled(r *rig) {
	c := greeting("a")
	c.Delay, c.Deadline = time.Hour, time.Now().Add(2*time.Second)
	r.submit(c)
	p, _ := deferred.NewPromise("p", "approval")
	p.Deadline = c.Deadline
	r.submit(p)
	r.must(r.queue.Open("p").AddErrback(r.ctx, named("mend", "e")))
	r.perform(map[string]handler{"greet": succeeds(`1`), "mend": succeeds(`"mended"`)})
	r.await("a", deferred.Expired)
	r.await("p", deferred.Expired)
	r.gives("e", `"mended"`)
}
