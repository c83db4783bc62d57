package suite

import (
	"context"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// elusive does not find what moves each time that it looks, as long as anything can.
type elusive struct {
	driver.Broker
	misses atomic.Int32
}

func (b *elusive) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	if b.misses.Add(-1) >= 0 {
		return nil, nil
	}
	return b.Broker.Find(ctx, id)
}

// What is on its way exists: it is shown, its callbacks are known to whoever
// cancels it, and nobody who waits for it takes it for unknown.
func movingIsFound(r *rig) {
	r.submit(named("nobody", "shown"), named("nobody", "cancelled"), named("nobody", "member"), joinOf("join", deferred.JoinAll, "member"))
	moving := &elusive{Broker: r.pair.Broker}
	r.queue = dispatch.New(r.pair.Store, moving, dispatch.Config{Lease: r.pair.Lease, ParentGrace: -1, Logger: silent()})

	moving.misses.Store(3)
	if rec, err := r.queue.Record(r.ctx, "shown"); err != nil || rec.State != deferred.Pending {
		r.Errorf("it is shown as %s (%v)", rec.State, err)
	}
	moving.misses.Store(3)
	r.cancel("cancelled", "not needed")
	if !r.record("cancelled").Carried {
		r.Error("the message of the cancelled call was not found")
	}
	moving.misses.Store(3)
	r.join(r.queue, "nothing")
	r.becomesEmpty(driver.Later)
	if rec := r.record("join"); rec.State != deferred.Waiting {
		r.Errorf("the join is %s: %v", rec.State, rec.Failure)
	}
}
