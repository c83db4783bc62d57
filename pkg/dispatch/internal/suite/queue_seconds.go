package suite

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

// second puts another message under an id, with the same arguments and these
// terms instead of the first one's.
func (r *rig) second(route driver.Route, name string, id deferred.ID, header map[string]string) {
	r.Helper()
	r.put(driver.Message{Route: route, Queue: deferred.DefaultQueue, Name: name, ID: id, Header: header})
}

// scheduledCall is seen, and its time is in an hour.
func (r *rig) scheduledCall(id deferred.ID) {
	c := named("mend", id)
	c.Delay = time.Hour
	r.submit(c)
	drivertest.Eventually(r.T, "it is parked", func() bool { return r.pending(driver.Delay) == 1 })
}

func secondWithAParent(r *rig) {
	r.join(r.queue, "greet")
	r.scheduledCall("a")
	r.second(driver.Later, "mend", "a", map[string]string{wire.HeaderAfter: "ghost"})
	r.becomesEmpty(driver.Later)
	if rec := r.record("a"); rec.State != deferred.Scheduled || rec.Parent != nil || rec.Waits != nil {
		r.Errorf("it is %s, waits for %v", rec.State, rec.Waits)
	}
}

func secondWithoutATime(r *rig) {
	w := r.join(r.queue, "mend")
	r.scheduledCall("a")
	r.second(driver.Ready, "mend", "a", nil)
	w.idle(time.Second)
	r.becomesEmpty(driver.Ready)
	if rec := r.record("a"); rec.State != deferred.Scheduled {
		r.Errorf("it is %s", rec.State)
	}
}

func secondWithoutAParent(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	r.submit(named("greet", "p"))
	r.becomesEmpty(driver.Ready)
	r.must(r.queue.Open("p").AddCallback(r.ctx, named("mend", "c")))
	drivertest.Eventually(r.T, "it stands in its lane", func() bool { return r.pending(driver.Ready) == 1 })
	r.second(driver.Ready, "mend", "c", nil)
	r.perform(map[string]handler{"mend": func(a *deferred.Attempt) (string, error) {
		if a.Parent == nil || a.Parent.ID != "p" {
			r.Errorf("it was performed after %v", a.Parent)
		}
		return succeeds(`2`)(a)
	}})
	r.gives("c", `2`)
	r.becomesEmpty(driver.Ready)
}

func deadlineBesideAnotherAlarm(r *rig) {
	r.join(r.queue, "greet")
	c := named("nobody", "c")                     // waits for what nobody has seen: looked at again and again
	c.Deadline = time.Now().Add(12 * time.Second) // beyond the next look
	r.must(r.queue.Open("p").AddBoth(r.ctx, c))
	r.comesToBe("c", "waits", func(rec *deferred.Record) bool { return rec.State == deferred.Waiting })
	r.perform(map[string]handler{"work": succeeds(`1`)})
	r.submit(named("work", "p"))
	r.await("c", deferred.Expired)
}
