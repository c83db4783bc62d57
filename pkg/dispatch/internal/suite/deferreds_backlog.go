package suite

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// A busy broker counts what is asked of it.
type busy struct {
	driver.Broker
	finds, words atomic.Int64
}

func (b *busy) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	b.finds.Add(1)
	return b.Broker.Find(ctx, id)
}

func (b *busy) Put(ctx context.Context, m []driver.Message) []driver.Stored {
	for i := range m {
		if m[i].Route == driver.Commands || m[i].Route == driver.Delay {
			b.words.Add(1)
		}
	}
	return b.Broker.Put(ctx, m)
}

func (b *busy) done() string {
	return fmt.Sprintf("%d look-ups, %d words", b.finds.Swap(0), b.words.Swap(0))
}

// What waits for calls in a lane that has no worker knows that they are there, and
// does not look again.
func backlogOfAJoin(r *rig) {
	const members = 300
	for _, mode := range []deferred.JoinMode{deferred.JoinAll, deferred.JoinAllSettled, deferred.JoinAny, deferred.JoinRace} {
		b := &busy{Broker: r.pair.Broker}
		r.join(r.over(r.pair.Store, b), "greet")
		var calls []deferred.Call
		var ids []deferred.ID
		for i := range members {
			calls = append(calls, named("nobody", deferred.ID(fmt.Sprintf("%s-%d", mode, i))))
			ids = append(ids, calls[i].ID)
		}
		r.submit(calls...)
		r.submit(joinOf(deferred.ID(mode), mode, ids...))
		r.pass(time.Minute) // and the grace is over
		if n := b.finds.Load(); n > 2*members {
			r.Errorf("%s: %s in the first minute", mode, b.done())
		}
		b.done()
		r.pass(4 * time.Minute)
		if b.finds.Load()+b.words.Load() > 0 {
			r.Errorf("%s: %s while nothing happened", mode, b.done())
		}
		if rec := r.record(deferred.ID(mode)); rec.State != deferred.Waiting {
			r.Errorf("%s: %s", mode, rec.State)
		}
	}
}

func backlogOfParents(r *rig) {
	b := &busy{Broker: r.pair.Broker}
	r.join(r.over(r.pair.Store, b), "greet")
	for i := range 100 {
		id := deferred.ID(fmt.Sprintf("p%d", i))
		r.submit(named("nobody", id))
		r.must(r.queue.Open(id).AddCallback(r.ctx, named("mend", "c"+id)))
	}
	r.pass(time.Minute)
	b.done()
	r.pass(10 * time.Minute)
	if b.finds.Load()+b.words.Load() > 0 {
		r.Errorf("%s while nothing happened", b.done())
	}
	r.perform(map[string]handler{"nobody": succeeds(`1`), "mend": succeeds(`2`)})
	for i := range 100 {
		r.gives(deferred.ID(fmt.Sprintf("cp%d", i)), `2`)
	}
}

// Of a member that does not exist that is said when the grace is over, or when it
// is its turn.
func backlogWithAGhost(r *rig) {
	r.submit(named("greet", "m"), joinOf("first", deferred.JoinAll, "ghost", "m"), joinOf("second", deferred.JoinAll, "m", "ghost"),
		joinOf("race", deferred.JoinRace, "m", "ghost"))
	w := r.join(r.queue, "greet")
	a := w.claim()
	r.failsWith("first", deferred.KindParentUnknown)
	r.failsWith("race", deferred.KindParentUnknown)
	r.pass(time.Minute)
	w.succeed(a)
	r.failsWith("second", deferred.KindParentUnknown)
}
