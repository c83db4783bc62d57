package suite

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// Who cancels through a queue has written the record when he is answered.
func cancelAnyState(r *rig) {
	cancelled(r, func(id deferred.ID) {
		r.cancel(id, "not needed")
		if rec, err := r.queue.Record(r.ctx, id); err != nil || rec.State != deferred.Cancelled {
			r.Errorf("%s is answered to be cancelled and is %s (%v)", id, rec.State, err)
		}
	})
}

// Another client only says so, and a worker does it.
func cancelAnyStateByWord(r *rig) {
	cancelled(r, func(id deferred.ID) { r.command(deferred.Cancel, id, `{"reason":"not needed"}`) })
}

// cancelled: whatever a deferred is doing, a cancel settles it, its errback runs,
// and nothing of it happens afterwards.
func cancelled(r *rig, cancel func(deferred.ID)) {
	r.perform(map[string]handler{"mend": succeeds(`"mended"`), "adopt": r.adopts("inner")})
	errback := []deferred.Callback{{On: deferred.OnFailure, Call: named("mend", "")}}
	with := func(c deferred.Call) deferred.Call { c.Callbacks = errback; return c }
	promise, token := deferred.NewPromise("promise", "approval")
	join := deferred.NewJoin(deferred.JoinAll, r.open("gate")...)
	join.ID = "join"
	late := named("greet", "late")
	late.After = &deferred.After{Parent: "gate", On: deferred.OnBoth}
	delayed := named("greet", "delayed")
	delayed.Delay = time.Hour
	r.promise("gate")
	r.submit(with(named("adopt", "adopter")), with(promise), with(join), with(late), with(delayed), named("elsewhere", "inner"))
	w := r.join(r.queue, "greet")
	r.submit(with(greeting("running")))
	running := w.claim()
	r.submit(with(greeting("retried")))
	w.fail(w.claim(), deferred.RetryAfter(time.Hour, errors.New("again")))
	w.feed.Want(w.lane, 0)
	r.submit(with(named("nobody", "pending")), with(named("nobody", "held")))
	r.holds("held")
	r.waits("adopter", "inner")
	r.waits("join", "gate")
	r.waits("late", "gate")
	for id, state := range map[deferred.ID]deferred.State{
		"adopter": deferred.Waiting, "promise": deferred.Waiting, "join": deferred.Waiting, "late": deferred.Waiting,
		"delayed": deferred.Scheduled, "retried": deferred.Scheduled, "running": deferred.Running, "pending": deferred.Pending, "held": deferred.Held,
	} {
		r.becomes(id, state)
		cancel(id)
		r.ends(id, `cancelled cancelled: not needed`)
		r.gives(deferred.ChildID(id, 0), `"mended"`)
	}
	if err := w.feed.Settle(r.ctx, running, deferred.Outcome{State: deferred.Succeeded}); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("the success of the running one was answered with %v", err)
	}
	var settled *deferred.SettledError
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); !errors.As(err, &settled) || settled.State != deferred.Cancelled {
		r.Errorf("who resolves the promise was told %v", err)
	}
	w.feed.Want(w.lane, 10)
	w.idle(r.pair.Lease / 2)
	r.join(r.queue, "nobody").idle(r.pair.Lease / 2)
	r.becomesEmpty(driver.Delay)
}
