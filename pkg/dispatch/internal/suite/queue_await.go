package suite

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// readings counts the reads and the watches of a store, and can lose all news.
type readings struct {
	driver.Store
	reads, watches atomic.Int64
	deaf           bool
}

func (s *readings) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	s.reads.Add(1)
	return s.Store.Read(ctx, keys)
}

func (s *readings) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	s.reads.Add(1)
	return s.Store.ReadLatest(ctx, keys)
}

func (s *readings) Watch(ctx context.Context, keys []driver.Key) (<-chan driver.Entry, error) {
	s.watches.Add(1)
	if s.deaf {
		silence := make(chan driver.Entry)
		context.AfterFunc(ctx, func() { close(silence) })
		return silence, nil
	}
	return s.Store.Watch(ctx, keys)
}

func oneRead(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	w.succeed(w.claim())
	counted := &readings{Store: r.pair.Store}
	if _, err := r.over(counted, r.pair.Broker).Await(r.ctx, "a"); err != nil {
		r.Fatal(err)
	}
	if n, m := counted.reads.Load(), counted.watches.Load(); n != 1 || m != 0 {
		r.Errorf("%d reads and %d watches, want one read", n, m)
	}
}

// lostNews: of many waiters on one call, who share one watch, every one hears
// of the end although no news comes through.
func lostNews(r *rig) {
	counted := &readings{Store: r.pair.Store, deaf: true}
	queue := r.over(counted, r.pair.Broker)
	heard := make(chan deferred.State)
	const waiters = 10
	for range waiters {
		go func() {
			rec, err := queue.Await(r.ctx, "a")
			if err != nil {
				rec.State = deferred.State(err.Error())
			}
			heard <- rec.State
		}()
	}
	drivertest.Eventually(r.T, "all wait", func() bool { return counted.reads.Load() > waiters })
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	settling := time.NewTimer(100 * time.Millisecond)
	<-settling.C // the waiters' first reads are over, and found nothing
	w.succeed(w.claim())
	for range waiters {
		if s := <-heard; s != deferred.Succeeded {
			r.Errorf("heard %s", s)
		}
	}
	if n := counted.watches.Load(); n != 1 {
		r.Errorf("%d watches, want one for all", n)
	}
}

// refusing is a broker whose schedules do not fire, as on a server whose store
// is full at that moment, until one is put again.
type refusing struct {
	driver.Broker
	mu    sync.Mutex
	stuck []driver.Delivery
	again int
}

func (b *refusing) Put(ctx context.Context, messages []driver.Message) []driver.Stored {
	b.mu.Lock()
	defer b.mu.Unlock()
	if messages[0].Route != driver.Delay || len(b.stuck) > 0 {
		if messages[0].Route == driver.Delay {
			b.again++
		}
		return b.Broker.Put(ctx, messages)
	}
	b.stuck = append(b.stuck, driver.Delivery{Message: messages[0], Seq: 1, Time: time.Now()})
	return []driver.Stored{{Seq: 1}}
}

func (b *refusing) Pending(ctx context.Context, p driver.Page) iter.Seq2[driver.Delivery, error] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.Route != driver.Delay || b.again > 0 {
		return b.Broker.Pending(ctx, p)
	}
	stuck := slices.Clone(b.stuck)
	return func(yield func(driver.Delivery, error) bool) {
		for _, d := range stuck {
			if !yield(d, nil) {
				return
			}
		}
	}
}

// stuckSchedule is for the memory pair: a sweep comes after a minute.
func stuckSchedule(r *rig) {
	b := &refusing{Broker: r.pair.Broker}
	r.queue = r.over(r.pair.Store, b)
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.Delay = time.Second
	r.submit(c)
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
}

// TestSweep has what only fake time is fast enough for.
func TestSweep(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	clock(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		r := &rig{T: t, ctx: ctx, pair: open(t)}
		defer r.leave()
		stuckSchedule(r)
	})
}
