package suite

import (
	"errors"
	"strconv"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

func checkpointIsHandedOn(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	if err := deferred.SaveCheckpoint(deferred.WithAttempt(r.ctx, a), 7); err != nil {
		r.Fatal(err)
	}
	w.fail(a, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	a = w.claim()
	if a.Number != 2 || string(a.Checkpoint) != `7` {
		r.Errorf("attempt %d has checkpoint %q, want that of the first", a.Number, a.Checkpoint)
	}
	w.succeed(a)
}

func membersAreAdded(r *rig) {
	r.perform(map[string]handler{"greet": func(a *deferred.Attempt) (string, error) { return `"` + string(a.ID) + `"`, nil }})
	all := r.must(deferred.All(r.ctx, r.queue, r.queue.Open("a")))
	drivertest.Eventually(r.T, "the join waits", func() bool {
		rec, err := r.queue.Record(r.ctx, all.ID())
		return err == nil && rec.Waits != nil
	})
	if err := all.AddMembers(r.ctx, r.queue.Open("b")); err != nil {
		r.Fatal(err)
	}
	r.submit(named("greet", "a"), named("greet", "b"))
	r.gives(all.ID(), `["a","b"]`)
	var settled *deferred.SettledError
	if err := all.AddMembers(r.ctx, r.queue.Open("c")); !errors.As(err, &settled) {
		r.Errorf("a member that came too late was answered with %v", err)
	}
}

func manyAnnotations(r *rig) {
	counted := &writesTo{Store: r.pair.Store, space: driver.Notes}
	w := r.join(r.over(counted, r.pair.Broker), "greet")
	r.submit(greeting("a"))
	a := w.claim()
	for i := range 1000 {
		if err := a.Ledger.Annotate(r.ctx, "a", deferred.Note{Key: "k", Value: []byte(strconv.Itoa(i))}); err != nil {
			r.Fatal(err)
		}
	}
	w.succeed(a)
	if n := counted.n.Load(); n > 20 {
		r.Errorf("%d writes of 1,000 annotations", n)
	}
	last := ""
	for n, err := range r.queue.Annotations(r.ctx, "a") {
		if err != nil {
			r.Fatal(err)
		}
		last = string(n.Value)
	}
	if last != `999` {
		r.Errorf("the last value is %q", last)
	}
}

func adoptCancelSpares(r *rig) {
	r.must(deferred.All(r.ctx, r.queue, r.queue.Open("b")))
	r.perform(map[string]handler{"one": func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("b")) }})
	drivertest.Eventually(r.T, "the join has attached itself", func() bool {
		entries, err := r.pair.Store.Read(r.ctx, []driver.Key{{Space: driver.Records, Name: "b"}})
		return err == nil && entries[0].Revision != 0
	})
	r.submit(named("one", "a"), named("nobody", "b"))
	drivertest.Eventually(r.T, "it waits", func() bool {
		rec, err := r.queue.Record(r.ctx, "a")
		return err == nil && rec.State == deferred.Waiting
	})
	if err := r.queue.Open("a").Cancel(r.ctx, ""); err != nil {
		r.Fatal(err)
	}
	r.becomesEmpty(driver.Commands)
	if rec, err := r.queue.Record(r.ctx, "b"); err != nil || rec.State.Settled() {
		r.Errorf("what a join waits for is %s (%v)", rec.State, err)
	}
}
