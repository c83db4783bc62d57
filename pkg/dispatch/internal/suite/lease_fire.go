package suite

import (
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

var firingLeaseCases = []rigCase{
	{"CallbackThatItsParentKnowsAsSettledDoesNotRunAgain", leaseOfAFiring},
	{"NothingIsFiredAfterAGapForWhatIsForgotten", leaseOfAForgottenParent},
}

// A worker that fires stands still in it. Another one fires, and the callback runs
// and is forgotten, while its parent, which failed, is kept.
func leaseOfAFiring(r *rig) {
	child := deferred.ChildID("a", 0)
	c := greeting("a")
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{Name: "greet"}}}
	r.submit(c)
	w := r.join(r.queue, "greet")
	parent := w.claim()
	if err := w.feed.Settle(r.ctx, parent, deferred.Outcome{State: deferred.Failed, Failure: &deferred.Failure{Kind: "refused"}, Retry: deferred.Advice{Never: true}}); err != nil {
		r.Fatal(err)
	}
	w.succeed(w.claim())
	r.becomesEmpty(driver.Ready)
	r.forget(child)
	r.put(driver.Message{
		Route: driver.Ready, Queue: deferred.DefaultQueue, Name: "greet", ID: child,
		Header: map[string]string{wire.HeaderAfter: "a", wire.HeaderOn: string(deferred.OnFailure)},
	})
	w.idle(2 * time.Second)
	r.becomesEmpty(driver.Ready)
}

// A worker has committed an outcome and stands still. Another one finishes it, and all
// of it is forgotten.
func leaseOfAForgottenParent(r *rig) {
	q, still := r.halting(driver.Ready, func(w *driver.Write, _ *driver.Message, _ *driver.Key) bool {
		return w != nil && w.Key == drivertest.RecordKey("a") && strings.Contains(string(w.Value), `"state":"failed"`)
	})
	w := r.join(q, "greet")
	r.submit(withErrback("a"))
	a := w.claim()
	w.feed.Want(w.lane, 0)
	settled := make(chan struct{})
	go func() {
		w.fail(a, deferred.Permanent(errOnce))
		close(settled)
	}()
	r.standsStill(still)
	r.join(r.queue, "greet")
	mend := r.join(r.queue, "mend")
	mend.succeed(mend.claim())
	r.becomesEmpty(driver.Ready)
	r.forget(deferred.ChildID("a", 0))
	r.forget("a")
	still.thaw()
	<-settled
	mend.idle(r.beyond())
	r.isForgotten("a")
}
