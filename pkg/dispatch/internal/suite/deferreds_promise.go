package suite

import (
	"errors"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

func promiseOnce(r *rig) {
	r.perform(nil)
	c, token := deferred.NewPromise("p", "approval")
	r.submit(c)
	r.becomesEmpty(driver.Later) // it has been met
	if err := deferred.ResolvePromise(r.ctx, r.queue, "p.wrong", 1); !errors.Is(err, deferred.ErrToken) {
		r.Errorf("a wrong token was answered with %v", err)
	}
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); err != nil {
		r.Fatal(err)
	}
	var settled *deferred.SettledError
	if err := deferred.RejectPromise(r.ctx, r.queue, token, nil); !errors.As(err, &settled) || string(settled.Outcome.Result.Data) != `1` {
		r.Errorf("the second one was answered with %v", err)
	}
	r.gives("p", `1`)
}

func promiseEarly(r *rig) {
	r.perform(nil)
	c, token := deferred.NewPromise("p", "approval")
	if err := deferred.RejectPromise(r.ctx, r.queue, token, errors.New("no")); err != nil {
		r.Fatal(err)
	}
	r.submit(c)
	r.failsWith("p", deferred.KindRejected)
}

func holdRunning(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	var state *deferred.StateError
	if err := r.queue.Open("a").Hold(r.ctx, ""); !errors.As(err, &state) || state.State != deferred.Running {
		r.Errorf("answered with %v", err)
	}
	w.succeed(a)
}

func holdRelease(r *rig) {
	r.submit(greeting("a"))
	if err := r.queue.Open("a").Hold(r.ctx, "wait"); err != nil {
		r.Fatal(err)
	}
	r.heldBecause("a", "wait") // nobody has met it
	w := r.join(r.queue, "greet")
	w.idle(r.pair.Lease / 2)
	r.heldBecause("a", "wait")
	if err := r.queue.Open("a").Release(r.ctx); err != nil {
		r.Fatal(err)
	}
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Succeeded); rec.HoldReason != "" {
		r.Errorf("after its release it is held because %q", rec.HoldReason)
	}
}

func (r *rig) heldBecause(id deferred.ID, reason string) {
	r.Helper()
	if rec, err := r.queue.Record(r.ctx, id); err != nil || rec.State != deferred.Held || rec.HoldReason != reason {
		r.Errorf("%s is %s because %q (%v), want it held because %q", id, rec.State, rec.HoldReason, err, reason)
	}
}

// One that ends while it is held has its own reason.
func holdCancelled(r *rig) {
	r.put(driver.Message{Route: driver.Commands, Verb: string(deferred.Hold), ID: "a", Body: []byte("as plain text")})
	r.join(r.queue, "nothing")
	r.becomes("a", deferred.Held)
	r.submit(greeting("a"))
	r.heldBecause("a", "as plain text")
	r.cancel("a", "not needed")
	if rec := r.await("a", deferred.Cancelled); rec.HoldReason != "" || rec.Failure.Message != "not needed" {
		r.Errorf("it is held because %q, and cancelled because %q", rec.HoldReason, rec.Failure.Message)
	}
}

// A hold of what nobody has met yet cannot know that it is not performed. It must
// keep back neither its resolution nor what hangs on it.
func holdUnperformed(r *rig) {
	promise, token := deferred.NewPromise("p", "promise")
	for _, id := range []deferred.ID{"p", "j"} {
		r.put(driver.Message{Route: driver.Commands, Verb: string(deferred.Hold), ID: id, Body: []byte(`{"reason":"a mistake"}`)})
	}
	r.join(r.queue, "nothing")
	for _, id := range []deferred.ID{"p", "j"} {
		drivertest.Eventually(r.T, "the hold is carried out", func() bool {
			rec, err := r.queue.Record(r.ctx, id)
			return err == nil && rec.State == deferred.Held
		})
	}
	join := deferred.NewJoin(deferred.JoinAll, r.queue.Open("p"))
	join.ID = "j"
	r.submit(promise, join)
	for _, id := range []deferred.ID{"p", "j"} {
		drivertest.Eventually(r.T, "it waits", func() bool {
			rec, err := r.queue.Record(r.ctx, id)
			return err == nil && rec.State == deferred.Waiting && rec.HoldReason == ""
		})
	}
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); err != nil {
		r.Fatal(err)
	}
	r.gives("j", "[1]")
}
