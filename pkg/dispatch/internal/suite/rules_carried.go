package suite

import (
	"errors"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// forgetful keeps records for a second only.
func (r *rig) forgetful() *dispatch.Queue {
	return dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{
		Lease: r.pair.Lease, KeepSucceeded: time.Second, KeepOthers: time.Second, Logger: silent(),
	})
}

// beyondKept is longer than what a forgetful queue keeps.
const beyondKept = 3 * time.Second

func (r *rig) isForgotten(id deferred.ID) {
	r.Helper()
	drivertest.Eventually(r.T, "the record of "+string(id)+" is gone", func() bool {
		_, err := r.queue.Record(r.ctx, id)
		return errors.Is(err, deferred.ErrNotFound)
	})
}

// The message of a cancelled call stands in a lane that has no worker for longer
// than the record would be kept.
func ruleCancelOutlivesItsMessage(r *rig) {
	q := r.forgetful()
	r.submit(greeting("a"))
	if err := q.Open("a").Cancel(r.ctx, "no"); err != nil {
		r.Fatal(err)
	}
	r.pass(beyondKept) // no worker is there at all
	r.join(q, "other")
	r.becomesEmpty(driver.Commands) // only one of another lane
	r.pass(beyondKept)
	r.join(q, "greet").idle(2 * time.Second)
	r.becomesEmpty(driver.Ready)
	r.isForgotten("a")
}

// The same of one that has expired there, and whose errback has run.
func ruleErrbackOfTheExpiredRunsOnce(r *rig) {
	q := r.forgetful()
	var runs atomic.Int64
	mend := map[string]handler{"mend": func(*deferred.Attempt) (string, error) { runs.Add(1); return `1`, nil }}
	r.drive(r.join(q, "unused"), mend)
	c := greeting("a")
	c.Deadline = time.Now().Add(2 * time.Second)
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{Name: "mend"}}}
	r.submit(c)
	errback := deferred.ChildID("a", 0)
	r.gives(errback, `1`)
	r.isForgotten(errback)
	r.pass(beyondKept)
	r.join(q, "greet").idle(2 * time.Second)
	r.becomesEmpty(driver.Ready)
	r.isForgotten("a")
	if n := runs.Load(); n != 1 {
		r.Errorf("the errback ran %d times", n)
	}
}

// What was cancelled while it was parked has no message any more.
func ruleCancelOfAParkedCallIsForgotten(r *rig) {
	q := r.forgetful()
	r.join(q, "other")
	c := greeting("a")
	c.Delay = time.Hour
	r.submit(c)
	drivertest.Eventually(r.T, "it is parked", func() bool { return r.pending(driver.Delay) == 1 })
	r.becomesEmpty(driver.Later) // or its message would come again when the record is forgotten, a second later
	if err := q.Open("a").Cancel(r.ctx, "no"); err != nil {
		r.Fatal(err)
	}
	r.becomesEmpty(driver.Commands)
	r.isForgotten("a")
	if n := r.pending(driver.Delay); n != 0 {
		r.Errorf("%d schedules are left", n)
	}
}
