package suite

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

var clockCases = []rigCase{
	{"ReleaseByAClientWhoseClockIsAheadCountsAtOnce", releasedAhead},
	{"ReleaseWhoseGiverDiedBeforeHeRangStillRings", releasedAndDied},
	{"CancelByAClientWhoseClockIsWrongIsOfTheServersTime", cancelledAhead},
	{"FailureThatAClientTakesOffTheListIsKeptWhateverHisClockSays", handledAhead},
}

// clockError is by how much the clocks of all clients are ahead of the server's.
const clockError = 10 * 24 * time.Hour

// ahead gives a queue over seams of a server whose clock is behind that of all who use it.
func (r *rig) ahead() *dispatch.Queue {
	return r.over(pastStore{r.pair.Store}, pastBroker{r.pair.Broker})
}

type pastStore struct{ driver.Store }

func (s pastStore) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	entries, err := s.Store.Read(ctx, keys)
	for i := range entries {
		entries[i].Time = entries[i].Time.Add(-clockError)
	}
	return entries, err
}

type pastBroker struct{ driver.Broker }

func (b pastBroker) Put(ctx context.Context, messages []driver.Message) []driver.Stored {
	shifted := make([]driver.Message, len(messages))
	for i, m := range messages {
		if shifted[i] = m; m.Route == driver.Delay {
			shifted[i].At = m.At.Add(clockError)
		}
	}
	return b.Broker.Put(ctx, shifted)
}

func inThePast(d driver.Delivery) driver.Delivery {
	d.Time = d.Time.Add(-clockError)
	if !d.At.IsZero() {
		d.At = d.At.Add(-clockError)
	}
	return d
}

func (b pastBroker) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	found, err := b.Broker.Find(ctx, id)
	for i := range found {
		found[i] = inThePast(found[i])
	}
	return found, err
}

func (b pastBroker) Pending(ctx context.Context, p driver.Page) iter.Seq2[driver.Delivery, error] {
	return func(yield func(driver.Delivery, error) bool) {
		for d, err := range b.Broker.Pending(ctx, p) {
			if !yield(inThePast(d), err) {
				return
			}
		}
	}
}

func (b pastBroker) Subscribe(ctx context.Context) (driver.Subscription, error) {
	s, err := b.Broker.Subscribe(ctx)
	return pastSubscription{s}, err
}

type pastSubscription struct{ driver.Subscription }

func (s pastSubscription) Next(ctx context.Context) (driver.Delivery, error) {
	d, err := s.Subscription.Next(ctx)
	return inThePast(d), err
}

// heldAndParked is a call that is held, and that a worker has parked for a while.
func (r *rig) heldAndParked(client *dispatch.Queue) *hand {
	r.Helper()
	r.put(driver.Message{Route: driver.Commands, Verb: "hold", ID: "a"})
	h := r.join(r.queue, "greet")
	r.comesToBe("a", "is held", func(rec *deferred.Record) bool { return rec.State == deferred.Held })
	c := named("greet", "a")
	c.Delay = time.Millisecond // by which it goes to the housekeeping
	if _, err := client.Submit(r.ctx, c); err != nil {
		r.Fatal(err)
	}
	drivertest.Eventually(r.T, "the call is parked", func() bool { return r.pending(driver.Delay) == 1 })
	r.becomesEmpty(driver.Later)
	return h
}

func releasedAhead(r *rig) {
	r.queue = r.ahead()
	client := r.ahead() // it has no worker from which it would know the time
	h := r.heldAndParked(client)
	if err := client.Open("a").Release(r.ctx); err != nil {
		r.Fatal(err)
	}
	h.succeed(h.claim())
}

func releasedAndDied(r *rig) {
	var mu sync.Mutex
	var rung []time.Time
	r.queue = r.tap(tapped{stored: func(m driver.Message) {
		if m.Route == driver.Delay && m.ID == "a" && m.At.Before(time.Now().Add(-time.Hour)) {
			mu.Lock()
			defer mu.Unlock()
			rung = append(rung, m.At)
		}
	}})
	h := r.heldAndParked(r.queue)
	client := r.tap(tapped{put: func(m driver.Message) error {
		if m.Route == driver.Delay {
			return errOnce
		}
		return nil
	}})
	if err := client.Open("a").Release(r.ctx); err != nil && !errors.Is(err, errOnce) { // a worker may have been faster
		r.Fatal(err)
	}
	h.succeed(h.claim())
	mu.Lock()
	defer mu.Unlock()
	if len(rung) == 0 {
		r.Error("no worker has rung")
	}
}

func cancelledAhead(r *rig) {
	client := r.ahead()
	if _, err := client.Submit(r.ctx, named("nobody", "a")); err != nil {
		r.Fatal(err)
	}
	if err := client.Open("a").Cancel(r.ctx, "enough"); err != nil {
		r.Fatal(err)
	}
	if at := time.Now().Add(-clockError); r.record("a").Settled.After(at.Add(time.Minute)) || r.record("a").Settled.Before(at.Add(-time.Minute)) {
		r.Errorf("it was cancelled at %v, and the server's time is %v", r.record("a").Settled, at)
	}
}

// keptFor has each write of a record tell for how long that is kept.
type keptFor struct {
	driver.Store
	told func(ttl time.Duration)
}

func (s keptFor) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	for _, w := range writes {
		if w.Space == driver.Records {
			s.told(w.TTL)
		}
	}
	return s.Store.Write(ctx, writes)
}

func handledAhead(r *rig) {
	r.write("a", func(rec *deferred.Record) {
		settledRecord(rec, deferred.Failed, 1)
		rec.Settled = time.Now().Add(-clockError)
	})
	var least time.Duration
	client := r.over(keptFor{pastStore{r.pair.Store}, func(ttl time.Duration) { least = ttl }}, pastBroker{r.pair.Broker})
	if err := client.Open("a").Handle(r.ctx); err != nil {
		r.Fatal(err)
	}
	if least < 24*time.Hour {
		r.Errorf("the record is kept for %v", least)
	}
}
