package suite

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// clumsy panics at the first look at a record.
type clumsy struct {
	driver.Store
	id   string
	once sync.Once
}

func (s *clumsy) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if keys[0].Name == s.id {
		s.once.Do(func() { panic("as planned") })
	}
	return s.Store.Read(ctx, keys)
}

func panicLosesNothing(r *rig) {
	w := r.join(r.over(&clumsy{Store: r.pair.Store, id: "a"}, r.pair.Broker), "greet")
	c := greeting("a")
	c.BeginBy = time.Now().Add(time.Hour) // so that its record is looked at
	r.submit(c)
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
}

// defect panics once, in what is asked before each write and each message, where
// hit says so.
func (r *rig) defect(hit func(w *driver.Write, m *driver.Message) bool) (q *dispatch.Queue, struck *atomic.Bool) {
	struck = new(atomic.Bool)
	strike := func(w *driver.Write, m *driver.Message) error {
		if hit(w, m) && struck.CompareAndSwap(false, true) {
			panic("as planned")
		}
		return nil
	}
	return r.tap(tapped{
		write: func(w driver.Write) error { return strike(&w, nil) },
		put:   func(m driver.Message) error { return strike(nil, &m) },
	}), struck
}

// The panic is in what follows from an outcome that is stored.
func panicAfterCommit(r *rig) {
	q, struck := r.defect(func(_ *driver.Write, m *driver.Message) bool { return m != nil && m.ID == child("a", 0) })
	c := greeting("a")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "mend"}}}
	r.submit(c)
	r.perform(map[string]handler{"mend": succeeds(`2`)})
	w := r.join(q, "greet")
	w.succeed(w.claim())
	r.gives(child("a", 0), `2`)
	if rec := r.record("a"); !struck.Load() || rec.Attempt != 1 {
		r.Errorf("struck: %t; %d attempts", struck.Load(), rec.Attempt)
	}
}

// The panic is in what is done about a message that cannot be understood.
func panicOverWhatIsMalformed(r *rig) {
	q, struck := r.defect(func(_ *driver.Write, m *driver.Message) bool { return m != nil && m.Route == driver.Aside })
	r.join(q, "greet")
	r.put(driver.Message{Route: driver.Ready, Queue: deferred.DefaultQueue, Name: "greet", ID: "a", Header: map[string]string{wire.HeaderAfter: "*"}})
	if rec := r.await("a", deferred.Failed); !struck.Load() || rec.Failure.Kind != deferred.KindMalformed {
		r.Errorf("struck: %t; %v", struck.Load(), rec.Failure)
	}
}

// The panic is in giving back a call that was claimed.
func panicGivesBack(r *rig) {
	q, struck := r.defect(func(w *driver.Write, _ *driver.Message) bool {
		var rec deferred.Record
		return w != nil && w.Name == "a" && json.Unmarshal(w.Value, &rec) == nil && rec.State == deferred.Pending
	})
	r.submit(greeting("a"))
	w := r.join(q, "greet")
	a := w.claim()
	w.feed.Decline(a.Offer, "not now")
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
	if !struck.Load() {
		r.Error("nothing was struck: this case says nothing")
	}
}
