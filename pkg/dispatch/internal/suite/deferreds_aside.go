package suite

import (
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

func (r *rig) putMalformed(id deferred.ID) {
	r.put(driver.Message{
		Route: driver.Later, Queue: deferred.DefaultQueue, Name: "greet", ID: id, Body: []byte(`1`),
		Header: map[string]string{wire.HeaderDelay: "soon"},
	})
}

// A join waits for an id, and the message that comes under it cannot be understood.
func malformedMember(r *rig) {
	r.perform(nil)
	r.submit(joinOf("j", deferred.JoinAll, "m"))
	drivertest.Eventually(r.T, "the join waits", func() bool { return r.record("m").ID != "" })
	r.putMalformed("m")
	r.failsWith("m", deferred.KindMalformed)
	r.failsWith("j", deferred.KindMalformed)
}

// What was held, or cancelled, before it turned out that it cannot be understood.
func malformedAfterACommand(r *rig) {
	r.perform(nil)
	r.put(driver.Message{Route: driver.Commands, Verb: "hold", ID: "held"})
	r.put(driver.Message{Route: driver.Commands, Verb: "cancel", ID: "cancelled"})
	r.becomesEmpty(driver.Commands)
	r.putMalformed("held")
	r.putMalformed("cancelled")
	r.failsWith("held", deferred.KindMalformed)
	r.becomesEmpty(driver.Later)
	if rec := r.await("cancelled", deferred.Cancelled); !rec.Seen {
		r.Errorf("what was cancelled has not met its message, and is kept for ever: %+v", rec)
	}
}

// Somebody knows the id of a deferred, and gives the id of its callback to a call.
func idOfACallbackIsTaken(r *rig) {
	child := deferred.ChildID("p", 0)
	var mended atomic.Int64
	r.queue = r.forgetful()
	r.perform(map[string]handler{"greet": succeeds(`1`), "mend": func(*deferred.Attempt) (string, error) { mended.Add(1); return `2`, nil }})
	r.write(child, func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, 1); rec.Digest = "another" })
	c := named("greet", "p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "mend"}}}
	r.submit(c)
	r.isForgotten("p")
	if mended.Load() != 0 || r.pending(driver.Aside) != 1 {
		r.Errorf("the callback ran %d times, and %d messages are set aside", mended.Load(), r.pending(driver.Aside))
	}
}
