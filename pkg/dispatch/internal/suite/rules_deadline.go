package suite

import (
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

// A deadline is kept also where nobody performs calls of the name.
func ruleDeadlineWithoutAWorker(r *rig) {
	r.join(r.queue, "other")
	by := time.Now().Add(time.Second)
	ready, delayed := greeting("ready"), greeting("delayed")
	ready.Deadline, delayed.Deadline, delayed.Delay = by, by, 500*time.Millisecond
	r.submit(ready, delayed)
	r.await("ready", deferred.Expired)
	r.await("delayed", deferred.Expired)
}

// A callback whose parent settles while it is hung on that need not wait. It goes
// into its lane at once, and its deadline is kept there.
func ruleDeadlineOfACallbackThatNeedsNotWait(r *rig) {
	var settling sync.Once
	var refused atomic.Bool
	q := r.tap(tapped{put: func(m driver.Message) error { // the worker may as well have died between its writes
		if m.Route == driver.Delay && refused.CompareAndSwap(false, true) {
			return driver.ErrFull
		}
		return nil
	}, write: func(w driver.Write) error {
		if w.Space == driver.Records && w.Name == "p" {
			settling.Do(func() {
				r.write("p", func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, 1) })
			})
		}
		return nil
	}})
	r.join(q, "greet")
	c := named("nobody", "c")
	c.Deadline = time.Now().Add(time.Second)
	r.must(r.queue.Open("p").AddBoth(r.ctx, c))
	r.await("c", deferred.Expired)
}

// A call that came to its lane at once has no alarm. The deadline is told by who
// performs it, and is not stored at first.
func ruleDeadlineToldAgain(r *rig) {
	var refused atomic.Bool
	w := r.join(r.tap(tapped{put: func(m driver.Message) error {
		if m.Verb == "expire" && refused.CompareAndSwap(false, true) {
			return driver.ErrFull
		}
		return nil
	}}), "greet")
	m := again("a")
	m.Header[wire.HeaderDeadline] = time.Now().Add(time.Second).Format(time.RFC3339Nano)
	r.put(m)
	a := w.claim()
	r.await("a", deferred.Expired)
	if !refused.Load() {
		r.Error("the deadline was not told by who performs the call: this case says nothing")
	}
	drivertest.Eventually(r.T, "the attempt is told", func() bool { return a.Revoked() != nil })
}
