package suite

import (
	"context"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// findTap has something happen before the first search for an id: between the
// reading of its record and the look for its message.
type findTap struct {
	driver.Broker
	id    deferred.ID
	first *sync.Once
	do    func()
}

func (b findTap) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	if id == b.id {
		b.first.Do(b.do)
	}
	return b.Broker.Find(ctx, id)
}

// between is a queue that waits for nobody whom it does not know.
func (r *rig) between(id deferred.ID, do func()) *dispatch.Queue {
	broker := findTap{Broker: r.pair.Broker, id: id, first: new(sync.Once), do: do}
	return dispatch.New(r.pair.Store, broker, dispatch.Config{Lease: r.pair.Lease, ParentGrace: -time.Second, Logger: silent()})
}

// performOne performs the call of the id by another worker, to the end.
func (r *rig) performOne() {
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	r.becomesEmpty(driver.Ready)
}

func memberPerformedBetween(r *rig) {
	r.queue = r.graceless()
	r.submit(greeting("m"))
	q := r.between("m", r.performOne)
	r.submit(joinOf("j", deferred.JoinAll, "m"))
	r.join(q, "nothing")
	r.gives("j", `["done"]`)
}

func recordOfWhatIsPerformedBetween(r *rig) {
	r.submit(greeting("m"))
	if rec, err := r.between("m", r.performOne).Record(r.ctx, "m"); err != nil || rec.State != deferred.Succeeded {
		r.Errorf("it is %s (%v)", rec.State, err)
	}
}

// The word comes first.
func promiseMetBetween(r *rig) {
	r.queue = r.graceless()
	p, token := deferred.NewPromise("p", "approval")
	q := r.between("p", func() {
		r.submit(p)
		r.join(r.queue, "nothing")
		r.becomesEmpty(driver.Later)
	})
	r.command("resolve", "p", `{"token":"`+string(token)+`","value":5}`)
	r.join(q, "nothing")
	r.gives("p", `5`)
}
