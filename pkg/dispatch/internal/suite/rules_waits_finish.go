package suite

import (
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

// The alarm of a deadline goes with what waited for it.
func alarmGoes(r *rig) {
	r.perform(nil)
	c, token := deferred.NewPromise("p", "promise")
	c.Deadline = time.Now().Add(time.Hour)
	r.submit(c)
	drivertest.Eventually(r.T, "the alarm is set", func() bool { return r.pending(driver.Delay) == 1 })
	r.becomesEmpty(driver.Later)
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); err != nil {
		r.Fatal(err)
	}
	r.becomesEmpty(driver.Delay)
}

// A callback that travelled with its call, on the branch that was not taken, settles
// though nobody performs calls of its name.
func otherBranchWithoutAWorker(r *rig) {
	c := withErrback("a")
	c.Callbacks[0].Call.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	r.submit(c)
	r.perform(map[string]handler{"greet": succeeds(`"done"`)})
	skipped := r.await(child("a", 0), deferred.Succeeded)
	if !skipped.Skipped || skipped.Attempt != 0 {
		r.Errorf("skipped: %t, after %d attempts", skipped.Skipped, skipped.Attempt)
	}
	if rec := r.await(child("a", 0, 0), deferred.Succeeded); rec.Skipped {
		r.Error("what is below was skipped as well")
	}
}

// A worker parks a call, and before that is stored the call is cancelled, and the
// command done. Nobody else will remove the schedule.
func parkedWhenCancelled(r *rig) {
	var once sync.Once
	r.queue = r.tap(tapped{put: func(m driver.Message) error {
		if m.Route == driver.Delay && m.ID == "a" {
			once.Do(func() {
				if err := r.over(r.pair.Store, r.pair.Broker).Open("a").Cancel(r.ctx, ""); err != nil {
					r.Error(err)
				}
				r.becomesEmpty(driver.Commands)
			})
		}
		return nil
	}})
	c := greeting("a")
	c.Delay = time.Hour
	r.submit(c)
	r.perform(nil)
	r.becomesEmpty(driver.Later)
	r.becomesEmpty(driver.Delay) // after a look whether its message is there still
	r.await("a", deferred.Cancelled)
}

// A record that was cancelled has not met its call. A schedule of that has callbacks
// that are nowhere else: a command may not remove it.
func scheduleOfAnUnseenCall(r *rig) {
	c := withErrback("a")
	callbacks, err := deferred.MarshalCallbacks(c.Callbacks)
	if err != nil {
		r.Fatal(err)
	}
	r.write("a", func(rec *deferred.Record) {
		rec.Settle(deferred.Cancelled, deferred.CancelFailure(""))
		rec.Settled = time.Now()
	})
	m := again("a")
	m.Route, m.At = driver.Delay, time.Now().Add(2*time.Second)
	m.Header[wire.HeaderCallbacks] = string(callbacks)
	m.Header[wire.HeaderDue] = m.At.UTC().Format(time.RFC3339Nano)
	r.put(m)
	r.put(driver.Message{Route: driver.Commands, Verb: "cancel", ID: "a"})
	r.perform(map[string]handler{"mend": succeeds(`"mended"`), "greet": succeeds(`"done"`)})
	r.gives(child("a", 0), `"mended"`)
	r.await("a", deferred.Cancelled)
}
