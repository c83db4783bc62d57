package dispatchtest

import (
	"time"

	"zasync/pkg/deferred"
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
