package suite

import (
	"errors"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// withFollower submits p, whose callback has an errback of its own: both travel
// with the call. It gives the ids of the two.
func withFollower(r *rig) (child, errback deferred.ID) {
	c := greeting("p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "follow", Callbacks: []deferred.Callback{
		{On: deferred.OnFailure, Call: deferred.Call{Name: "mend"}},
	}}}}
	r.submit(c)
	child = deferred.ChildID("p", 0)
	return child, deferred.ChildID(child, 0)
}

// The callback is known to p's record only. A cancel of it that is stored holds;
// when p settles it does not run, and p itself ends as it would.
func cancelUnfired(r *rig) {
	child, errback := withFollower(r)
	w := r.join(r.queue, "greet")
	a := w.claim()
	if err := r.queue.Open(child).Cancel(r.ctx, ""); !errors.Is(err, deferred.ErrNotFound) {
		r.Errorf("of what was not fired, a cancel was answered with %v", err)
	}
	r.put(driver.Message{Route: driver.Commands, Verb: "cancel", ID: child, Body: []byte("not needed")})
	r.await(child, deferred.Cancelled)
	f := r.join(r.queue, "follow")
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	w.succeed(a)
	r.ends("p", `succeeded "done"`)
	r.gives(errback, `"mended"`)
	f.idle(r.pair.Lease / 2)
	r.ends(child, `cancelled cancelled: not needed`)
	r.becomesEmpty(driver.Ready)
}

// One that was added has a record of its own before it is fired.
func cancelUnfiredLate(r *rig) {
	r.submit(greeting("p"))
	w := r.join(r.queue, "greet")
	a := w.claim()
	r.must(r.queue.Open("p").AddCallback(r.ctx, named("follow", "late")))
	r.must(r.queue.Open("late").AddErrback(r.ctx, named("mend", "errback")))
	r.waits("late", "p")
	r.cancel("late", "not needed")
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	f := r.join(r.queue, "follow")
	r.gives("errback", `"mended"`) // p is not waited for
	w.succeed(a)
	r.ends("p", `succeeded "done"`)
	f.idle(r.pair.Lease / 2)
	r.ends("late", `cancelled cancelled: not needed`)
}

// fired has p settled and its callback stand in its lane, where nobody is.
func fired(r *rig) (child, errback deferred.ID) {
	child, errback = withFollower(r)
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	r.becomes(child, deferred.Pending)
	return child, errback
}

func cancelFired(r *rig) {
	child, errback := fired(r)
	r.cancel(child, "not needed")
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	f := r.join(r.queue, "follow")
	r.gives(errback, `"mended"`)
	f.idle(r.pair.Lease / 2)
	r.ends(child, `cancelled cancelled: not needed`)
	r.ends("p", `succeeded "done"`)
	r.becomesEmpty(driver.Ready)
	drivertest.Eventually(r.T, "its parent needs not wait for it", func() bool {
		rec, err := r.queue.Record(r.ctx, "p")
		return err == nil && rec.Attached(child).Settled
	})
}

func holdFired(r *rig) {
	child, _ := fired(r)
	r.holds(child)
	f := r.join(r.queue, "follow")
	f.idle(r.pair.Lease)
	r.releases(child)
	a := f.claim()
	if got := string(a.Parent.Outcome.Result.Data); a.ID != child || a.Number != 1 || got != `"done"` {
		r.Errorf("attempt %d of %s was given %s", a.Number, a.ID, got)
	}
	f.succeed(a)
	r.await(child, deferred.Succeeded)
}

// A hold that is stored before the callback is fired holds it from then on.
func holdUnfired(r *rig) {
	child, _ := withFollower(r)
	w, f := r.join(r.queue, "greet"), r.join(r.queue, "follow")
	a := w.claim()
	if err := r.queue.Open(child).Hold(r.ctx, ""); !errors.Is(err, deferred.ErrNotFound) {
		r.Errorf("of what was not fired, a hold was answered with %v", err)
	}
	r.put(driver.Message{Route: driver.Commands, Verb: "hold", ID: child})
	r.becomesEmpty(driver.Commands)
	w.succeed(a)
	f.idle(r.pair.Lease)
	r.releases(child)
	f.succeed(f.claim())
	r.await(child, deferred.Succeeded)
}

// One that was added waits for its parent until it is fired, and what waits
// cannot be held; once it is fired it can.
func holdUnfiredLate(r *rig) {
	r.submit(greeting("p"))
	w := r.join(r.queue, "greet")
	a := w.claim()
	r.must(r.queue.Open("p").AddCallback(r.ctx, named("follow", "late")))
	r.waits("late", "p")
	var state *deferred.StateError
	if err := r.queue.Open("late").Hold(r.ctx, ""); !errors.As(err, &state) || state.State != deferred.Waiting {
		r.Errorf("of what waits, a hold was answered with %v", err)
	}
	w.succeed(a)
	r.becomes("late", deferred.Pending) // it is fired
	r.holds("late")
	f := r.join(r.queue, "follow")
	f.idle(r.pair.Lease)
	r.releases("late")
	f.succeed(f.claim())
	r.await("late", deferred.Succeeded)
}

func (r *rig) holds(id deferred.ID) {
	r.Helper()
	if err := r.queue.Open(id).Hold(r.ctx, "wait"); err != nil {
		r.Fatal(err)
	}
	if rec, err := r.queue.Record(r.ctx, id); err != nil || rec.State != deferred.Held {
		r.Errorf("%s is %s (%v), want it held", id, rec.State, err)
	}
}

func (r *rig) releases(id deferred.ID) {
	r.Helper()
	if err := r.queue.Open(id).Release(r.ctx); err != nil {
		r.Fatal(err)
	}
}
