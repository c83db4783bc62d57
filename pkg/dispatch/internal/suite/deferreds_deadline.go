package suite

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// doomed is a call with an errback, and a deadline that comes soon.
func doomed(id deferred.ID) deferred.Call {
	c := withErrback(id)
	c.Deadline = time.Now().Add(2 * time.Second)
	return c
}

// expires awaits that the deadline is missed, not early, and that the errback runs.
func (r *rig) expires(c deferred.Call) {
	r.Helper()
	r.ends(c.ID, `expired expired: it had not settled by `+c.Deadline.UTC().Format(time.RFC3339))
	if early := time.Until(c.Deadline); early > 0 {
		r.Errorf("%s expired %v before its deadline", c.ID, early)
	}
	r.gives(deferred.ChildID(c.ID, 0), `"mended"`)
}

// Whether or not there is a worker of its lane.
func deadlinePending(r *rig) {
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	c := doomed("a")
	r.submit(c)
	r.becomes("a", deferred.Pending)
	r.expires(c)
	r.join(r.queue, "greet").idle(r.pair.Lease / 2)
	r.becomesEmpty(driver.Ready)
}

// Of a delayed call, and of one that is to be tried again.
func deadlineOfScheduled(r *rig) {
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	delayed, retried := doomed("delayed"), doomed("retried")
	delayed.Delay = time.Hour
	w := r.join(r.queue, "greet")
	r.submit(delayed, retried)
	w.fail(w.claim(), deferred.RetryAfter(time.Hour, errors.New("again")))
	for _, id := range []deferred.ID{"delayed", "retried"} {
		if rec, err := r.queue.Record(r.ctx, id); err != nil || rec.State != deferred.Scheduled {
			r.Errorf("%s is %s (%v)", id, rec.State, err)
		}
	}
	r.expires(delayed)
	r.expires(retried)
	if rec := r.await("retried", deferred.Expired); rec.Attempt != 1 || rec.Counts.Failures != 1 {
		r.Errorf("attempt %d, counts %+v, want those of the attempt that there was", rec.Attempt, rec.Counts)
	}
	w.idle(r.pair.Lease / 2)
	r.becomesEmpty(driver.Delay)
}

// Of one that was held before a worker met it, and of one that was held then.
func deadlineHeld(r *rig) {
	early, late := doomed("early"), doomed("late")
	r.submit(early)
	r.holds("early")
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	r.submit(late)
	drivertest.Eventually(r.T, "it is known", func() bool {
		rec, err := r.queue.Record(r.ctx, "late")
		return err == nil && rec.Seen
	})
	r.holds("late")
	r.expires(early)
	r.expires(late)
	if err := r.queue.Open("early").Release(r.ctx); err == nil {
		r.Error("what has expired was released")
	}
	r.join(r.queue, "greet").idle(r.pair.Lease / 2)
}

// Of a join: its members are not its own, and go on.
func deadlineJoin(r *rig) {
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	token := r.promise("member")
	c := deferred.NewJoin(deferred.JoinAll, r.open("member")...)
	c.ID, c.Deadline = "all", time.Now().Add(2*time.Second)
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: named("mend", "")}}
	r.submit(c)
	r.expires(c)
	r.released("all")
	r.stillOpen("member")
	r.resolve(token, 1)
}

// A deadline covers what it was set on: not what comes after that.
func deadlineOfEarlierLevels(r *rig) {
	c := greeting("p")
	c.Deadline = time.Now().Add(2 * time.Second)
	c.Callbacks = []deferred.Callback{{On: deferred.OnBoth, Call: named("follow", "")}}
	r.submit(c)
	follower := r.join(r.queue, "follow")
	r.await("p", deferred.Expired)
	a := follower.claim() // after the deadline
	if a.Parent.Outcome.State != deferred.Expired {
		r.Errorf("it follows what is %s", a.Parent.Outcome.State)
	}
	follower.succeed(a)
	r.await(deferred.ChildID("p", 0), deferred.Succeeded)
}

// Nor what comes before: a callback that is overdue leaves its parent alone.
func deadlineOfLaterLevels(r *rig) {
	r.submit(greeting("p"))
	w, f := r.join(r.queue, "greet"), r.join(r.queue, "follow")
	a := w.claim()
	late := named("follow", "late")
	late.Deadline = time.Now().Add(2 * time.Second)
	r.must(r.queue.Open("p").AddCallback(r.ctx, late))
	r.await("late", deferred.Expired)
	if err := a.Revoked(); err != nil {
		r.Errorf("the parent was revoked: %v", err)
	}
	w.succeed(a)
	r.ends("p", `succeeded "done"`)
	f.idle(r.pair.Lease / 2)
}
