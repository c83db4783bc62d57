package suite

import (
	"context"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// lag is how far a replica is behind: for longer than it takes to carry out
// a word.
const lag = 200 * time.Millisecond

// A store that is behind reads one record from a replica that is, as a direct get
// of a stream with several replicas may. Writes go to the leader.
type behind struct {
	driver.Store
	id deferred.ID

	mu  sync.Mutex
	was []earlier
}

// earlier is what stood there until a time.
type earlier struct {
	until time.Time
	entry driver.Entry
}

func (s *behind) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	answers := make([]driver.Written, len(writes))
	for i, w := range writes {
		before, err := s.Store.Read(ctx, []driver.Key{w.Key})
		answers[i] = s.Store.Write(ctx, []driver.Write{w})[0]
		if err == nil && answers[i].Err == nil && s.lags(w.Key) {
			s.mu.Lock()
			s.was = append(s.was, earlier{time.Now(), before[0]})
			s.mu.Unlock()
		}
	}
	return answers
}

func (s *behind) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	entries, err := s.Store.Read(ctx, keys)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := time.Now().Add(-lag)
	for i, k := range keys {
		for j := 0; s.lags(k) && j < len(s.was); j++ {
			if s.was[j].until.After(seen) {
				entries[i] = s.was[j].entry
				break
			}
		}
	}
	return entries, nil
}

func (s *behind) lags(k driver.Key) bool {
	return k.Space == driver.Records && k.Name == string(s.id)
}

// lagsOn has workers that read the record of p from the past, and the attempt of p.
func (r *rig) lagsOn(p deferred.Call) (w *hand, a *deferred.Attempt) {
	r.Helper()
	q := r.over(&behind{Store: r.pair.Store, id: p.ID}, r.pair.Broker)
	r.drive(r.join(q, "unused"), map[string]handler{"mend": succeeds(`2`)})
	w = r.join(q, "greet")
	r.submit(p)
	a = w.claim()
	return w, a
}

// waitsFor waits until p knows that the deferred waits for it, and everybody can
// have read so.
func (r *rig) waitsFor(p, waiter deferred.ID) {
	r.Helper()
	drivertest.Eventually(r.T, string(waiter)+" waits", func() bool {
		rec := r.record(p)
		return rec.Attached(waiter) != nil
	})
	r.becomesEmpty(driver.Later)
	r.pass(2 * lag)
}

func staleForACallback(r *rig) {
	w, a := r.lagsOn(named("greet", "p"))
	r.must(r.queue.Open("p").AddCallback(r.ctx, named("mend", "c")))
	r.waitsFor("p", "c")
	w.succeed(a)
	r.gives("c", `2`)
}

func staleForAJoin(r *rig) {
	w, a := r.lagsOn(named("greet", "p"))
	r.submit(joinOf("j", deferred.JoinAll, "p"))
	r.waitsFor("p", "j")
	w.succeed(a)
	r.gives("j", `["done"]`)
}

func staleForAFiredOne(r *rig) {
	c := named("greet", "p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "mend"}}}
	w, a := r.lagsOn(c)
	r.pass(2 * lag)
	w.succeed(a)
	r.gives(deferred.ChildID("p", 0), `2`)
}

// The callback is added when its parent has settled, and only some know it.
func staleForALateOne(r *rig) {
	w, a := r.lagsOn(named("greet", "p"))
	r.pass(2 * lag)
	w.succeed(a)
	r.must(r.queue.Open("p").AddCallback(r.ctx, named("mend", "c")))
	r.gives("c", `2`)
}
