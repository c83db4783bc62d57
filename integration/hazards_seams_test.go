package integration

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/memory"
	"zasync/pkg/workerpool"
)

type brokenStore struct {
	driver.Store
	mu     sync.Mutex
	broken bool
	writes int
}

func (s *brokenStore) Write(ctx context.Context, w []driver.Write) []driver.Written {
	s.mu.Lock()
	broken := s.broken
	if w[0].Space == driver.Records {
		s.writes++
	}
	s.mu.Unlock()
	if broken {
		return []driver.Written{{Err: errors.New("nats: connection closed")}}
	}
	return s.Store.Write(ctx, w)
}

func TestNothingIsWrittenAfterTheWorkerLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		s := &brokenStore{Store: p.Store}
		q := quietQueue(s, p.Broker)
		f, err := q.Join(t.Context(), deferred.Worker{Name: "w"})
		if err != nil {
			t.Fatal(err)
		}
		f.Want(deferred.Lane{Queue: "default", Name: "greet"}, 1)
		if _, err := q.Submit(t.Context(), callOf("a")); err != nil {
			t.Fatal(err)
		}
		o, _ := f.Next(t.Context())
		if _, err := f.Claim(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		s.broken = true
		s.mu.Unlock()
		f.Decline(o, "stopping")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_ = f.Leave(ctx)
		s.mu.Lock()
		before := s.writes
		s.mu.Unlock()
		time.Sleep(time.Hour)
		s.mu.Lock()
		after := s.writes
		s.broken = false
		s.mu.Unlock()
		if after > before {
			t.Errorf("%d writes in the hour after the worker left", after-before)
		}
		time.Sleep(time.Minute)
	})
}

func TestMalformedMessageDoesNotTakeTheIDOfAQueuedCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		q := quietQueue(p.Store, p.Broker)
		c := callOf("a")
		c.Name = "other" // waits in another lane, or behind a backlog
		if _, err := q.Submit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		_ = p.Broker.Put(t.Context(), []driver.Message{{Route: driver.Later, Queue: "default", Name: "greet", ID: "a", Header: map[string]string{"Zasync-Delay": "soon"}}})
		ran := false
		stop := performing(t, quietQueue(p.Store, p.Broker), func(context.Context, deferred.Content) (deferred.Content, error) { return deferred.Content{}, nil })
		defer stop()
		time.Sleep(time.Second)
		m := &workerpool.Mux{}
		m.Handle("other", func(context.Context, deferred.Content) (deferred.Content, error) {
			ran = true
			return deferred.Content{}, nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = (&workerpool.Pool{Source: q, Mux: m, Logger: quiet}).Run(ctx)
		r, _ := q.Record(t.Context(), "a")
		if !ran {
			t.Errorf("the acknowledged call never ran; record %s %v", r.State, r.Failure)
		}
	})
}

func TestTimesOutOfRangeAreSetAside(t *testing.T) {
	for name, h := range map[string]map[string]string{
		"submitted":       {"Zasync-Submitted": "9999-12-31T23:59:59-01:00"},
		"submitted+delay": {"Zasync-Submitted": "9999-12-30T00:00:00Z", "Zasync-Delay": "80000h"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := memory.New(memory.Config{})
				q := quietQueue(p.Store, p.Broker)
				_ = p.Broker.Put(t.Context(), []driver.Message{{Route: driver.Ready, Queue: "default", Name: "greet", ID: "a", Header: h}})
				stop := performing(t, quietQueue(p.Store, p.Broker), func(context.Context, deferred.Content) (deferred.Content, error) { return deferred.Content{}, nil })
				defer stop()
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				r, err := q.Await(ctx, "a")
				if err != nil {
					found, _ := p.Broker.Find(t.Context(), "a")
					for _, d := range found {
						t.Errorf("an hour later: %s, delivered %d times, %v", d.Route, d.Deliveries, d.Header)
					}
				}
				if r.Failure == nil || r.Failure.Kind != deferred.KindMalformed {
					t.Errorf("%s %v", r.State, r.Failure)
				}
			})
		})
	}
}

func TestWorkerThatLeavesIsNoDeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		q := quietQueue(p.Store, p.Broker)
		if _, err := q.Submit(t.Context(), callOf("a")); err != nil {
			t.Fatal(err)
		}
		for range 3 { // three rolling restarts
			stop := performing(t, quietQueue(p.Store, p.Broker), func(context.Context, deferred.Content) (deferred.Content, error) {
				time.Sleep(time.Minute)
				return deferred.Content{}, nil
			})
			time.Sleep(20 * time.Second)
			stop()
		}
		stop := performing(t, quietQueue(p.Store, p.Broker), func(context.Context, deferred.Content) (deferred.Content, error) { return deferred.Content{}, nil })
		defer stop()
		r, _ := q.Await(t.Context(), "a")
		if r.State != deferred.Succeeded || r.Counts.Deaths > 0 {
			t.Errorf("%s %v deaths %d", r.State, r.Failure, r.Counts.Deaths)
		}
		time.Sleep(5 * time.Minute)
	})
}

type skewedBroker struct {
	driver.Broker
	ahead time.Duration
}
type skewedSub struct {
	driver.Subscription
	b *skewedBroker
}

func (b *skewedBroker) Subscribe(ctx context.Context) (driver.Subscription, error) {
	s, err := b.Broker.Subscribe(ctx)
	return skewedSub{s, b}, err
}
func (s skewedSub) Next(ctx context.Context) (driver.Delivery, error) {
	d, err := s.Subscription.Next(ctx)
	if d.ID == "odd" {
		d.Time = d.Time.Add(s.b.ahead)
	}
	return d, err
}

func TestWrongStampOfTheServerIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		q := quietQueue(p.Store, p.Broker)
		began := map[deferred.ID]time.Time{}
		stop := performing(t, quietQueue(p.Store, &skewedBroker{p.Broker, time.Hour}), func(ctx context.Context, _ deferred.Content) (deferred.Content, error) {
			began[deferred.AttemptFrom(ctx).ID] = time.Now()
			return deferred.Content{}, nil
		})
		defer stop()
		if _, err := q.Submit(t.Context(), callOf("odd")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		c := callOf("a")
		c.NotBefore = time.Now().Add(30 * time.Minute)
		want := c.NotBefore
		if _, err := q.Submit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		_, _ = q.Await(t.Context(), "a")
		if began["a"].Before(want) {
			t.Errorf("began %v early, a day after one odd stamp", want.Sub(began["a"]))
		}
	})
}

type staleStore struct {
	driver.Store
	mu    sync.Mutex
	stale int
}

func (s *staleStore) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	e, err := s.Store.Read(ctx, keys)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stale > 0 && keys[0].Space == driver.Records && keys[0].Name == "a" {
		s.stale--
		return []driver.Entry{{Key: keys[0]}}, nil // a replica that lags: nothing there yet
	}
	return e, err
}

func TestStaleReadDoesNotFenceAnHonestAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		q := quietQueue(p.Store, p.Broker)
		s := &staleStore{Store: p.Store}
		f, err := quietQueue(s, p.Broker).Join(t.Context(), deferred.Worker{Name: "w"})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Leave(context.WithoutCancel(t.Context())) }()
		f.Want(deferred.Lane{Queue: "default", Name: "greet"}, 1)
		if _, err := q.Submit(t.Context(), callOf("a")); err != nil {
			t.Fatal(err)
		}
		o, _ := f.Next(t.Context())
		a, err := f.Claim(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		key := driver.Key{Space: driver.Records, Name: "a"}
		e, _ := p.Store.Read(t.Context(), []driver.Key{key}) // another client adds to the record
		_ = p.Store.Write(t.Context(), []driver.Write{{Key: key, Value: e[0].Value, Expect: e[0].Revision}})
		s.mu.Lock()
		s.stale = 1
		s.mu.Unlock()
		if err := f.Settle(t.Context(), a, deferred.Outcome{State: deferred.Succeeded}); err != nil {
			t.Errorf("the outcome of the attempt in force: %v", err)
		}
	})
}

// lateParker lets something happen just before a call is parked.
type lateParker struct {
	driver.Broker
	once   sync.Once
	before func()
}

func (b *lateParker) Put(ctx context.Context, ms []driver.Message) []driver.Stored {
	if ms[0].Route == driver.Delay && ms[0].ID == "a" {
		b.once.Do(b.before)
	}
	return b.Broker.Put(ctx, ms)
}

func TestCancelDuringAParkLeavesNoSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pair := memory.New(memory.Config{})
		s, br := pair.Store, pair.Broker
		b := &lateParker{Broker: br}
		q := dispatch.New(s, b, dispatch.Config{KeepOthers: time.Hour, Logger: quiet})
		b.before = func() {
			if err := q.Open("a").Cancel(t.Context(), ""); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second) // the command is carried out
		}
		f, err := q.Join(t.Context(), deferred.Worker{})
		if err != nil {
			t.Fatal(err)
		}
		f.Want(deferred.Lane{Queue: "default", Name: "x"}, 1)
		_, err = q.Submit(t.Context(), deferred.Call{Name: "x", ID: "a", Delay: 2 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		found, err := br.Find(t.Context(), "a")
		r, rerr := q.Record(t.Context(), "a")
		if err != nil || rerr != nil || r.State != deferred.Cancelled {
			t.Errorf("%s (%v, %v)", r.State, err, rerr)
		}
		for _, d := range found {
			t.Errorf("left: %s", d.Route)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Hour)
		defer cancel()
		if o, err := f.Next(ctx); err == nil {
			t.Errorf("cancelled call is offered: %s", o.ID)
		}
		_ = f.Leave(context.WithoutCancel(t.Context()))
	})
}
