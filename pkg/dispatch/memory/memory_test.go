package memory_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/memory"
)

func TestStoreKeepsTheContract(t *testing.T) {
	drivertest.TestStore(t, synctest.Test, func(*testing.T) driver.Store {
		return memory.New(memory.Config{}).Store
	})
}

func TestBrokerKeepsTheContract(t *testing.T) {
	drivertest.TestBroker(t, synctest.Test, func(*testing.T) drivertest.Brokering {
		return drivertest.Brokering{Broker: memory.New(memory.Config{}).Broker, Lease: memory.DefaultLease}
	})
}

var greet = driver.Lane{Route: driver.Ready, Queue: "default", Name: "greet"}

func call(id deferred.ID) driver.Message {
	return driver.Message{Route: driver.Ready, Queue: "default", Name: "greet", ID: id}
}

func put(t *testing.T, b *memory.Broker, m driver.Message) {
	t.Helper()
	if err := b.Put(t.Context(), []driver.Message{m})[0].Err; err != nil {
		t.Fatal(err)
	}
}

func subscribe(t *testing.T, b *memory.Broker, l driver.Lane) driver.Subscription {
	t.Helper()
	sub, err := b.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sub.Want(l, 1000)
	return sub
}

func next(t *testing.T, sub driver.Subscription) driver.Delivery {
	t.Helper()
	d, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func settle(t *testing.T, b *memory.Broker, d driver.Delivery, v driver.Verdict) {
	t.Helper()
	if err := b.Settle(t.Context(), []driver.Settlement{{Delivery: d, Verdict: v}}); err != nil {
		t.Fatal(err)
	}
}

func TestTimesAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(memory.Config{Lease: 3 * time.Second}).Broker
		due := subscribe(t, b, driver.Lane{Route: driver.Due})
		at := time.Now().Add(time.Hour + time.Nanosecond)
		put(t, b, driver.Message{Route: driver.Delay, ID: "a", At: at})
		d := next(t, due)
		if !d.Got.Equal(at) {
			t.Errorf("the schedule fired at %v, want %v", d.Got, at)
		}
		time.Sleep(time.Second)
		settle(t, b, d, driver.Extend)
		if again := next(t, due); again.Got.Sub(at) != 4*time.Second {
			t.Errorf("the lease of 3s ended %v after it began, extended after 1s", again.Got.Sub(at))
		}
	})
}

func TestLateSettlementCountsWhoeverHoldsTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(memory.Config{}).Broker
		put(t, b, call("a"))
		sub := subscribe(t, b, greet)
		stale := next(t, sub)
		next(t, sub) // its lease has ended
		settle(t, b, stale, driver.GiveBack)
		if d := next(t, sub); d.Deliveries != 3 {
			t.Fatalf("delivered %d times, want 3", d.Deliveries)
		}
		settle(t, b, stale, driver.Done)
		if found, err := b.Find(t.Context(), "a"); len(found) > 0 || err != nil {
			t.Fatalf("found %v, %v", found, err)
		}
	})
}

func TestSettledMessageIsNotHandedOutThoughItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(memory.Config{}).Broker
		sub := subscribe(t, b, greet)
		put(t, b, call("a"))
		put(t, b, call("b"))
		a := next(t, sub)
		settle(t, b, a, driver.GiveBack)
		settle(t, b, a, driver.Done)
		if d := next(t, sub); d.ID != "b" || d.Backlog != 0 {
			t.Fatalf("got %q with %d behind it, want b with 0", d.ID, d.Backlog)
		}
	})
}

func TestWhatWasHandedOutBeforeComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(memory.Config{}).Broker
		sub := subscribe(t, b, greet)
		put(t, b, call("a"))
		put(t, b, call("b"))
		a := next(t, sub)
		settle(t, b, a, driver.GiveBack)
		settle(t, b, a, driver.GiveBack) // is heard once
		if d := next(t, sub); d.ID != "a" || d.Backlog != 1 {
			t.Fatalf("got %q with %d behind it, want a with 1", d.ID, d.Backlog)
		}
		if d := next(t, sub); d.ID != "b" || d.Backlog != 0 {
			t.Fatalf("got %q with %d behind it, want b with 0", d.ID, d.Backlog)
		}
	})
}

func TestEveryWaiterOfASubscriptionIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(memory.Config{}).Broker
		sub := subscribe(t, b, greet)
		sub.Want(greet, 0)
		var waiters sync.WaitGroup
		for i := range 10 {
			put(t, b, call(deferred.ID(strconv.Itoa(i))))
			waiters.Go(func() { settle(t, b, next(t, sub), driver.Done) })
		}
		synctest.Wait()
		sub.Want(greet, 10)
		waiters.Wait()
	})
}

func TestConcurrentUseLosesNothing(t *testing.T) {
	const producers, each = 8, 200
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := memory.New(memory.Config{Lease: time.Second}).Broker
		var mu sync.Mutex
		left := producers * each
		done := map[deferred.ID]bool{}
		perform := func(d driver.Delivery) {
			switch {
			case d.Deliveries == 1 && d.Seq%5 == 0:
				return // and the lease ends
			case d.Deliveries == 1 && d.Seq%5 == 1:
				settle(t, b, d, driver.GiveBack)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if done[d.ID] {
				t.Errorf("%q came after it was done", d.ID)
			}
			done[d.ID] = true
			settle(t, b, d, driver.Done)
			if left--; left == 0 {
				cancel()
			}
		}
		for range 4 {
			sub := subscribe(t, b, greet)
			sub.Want(greet, 10)
			go func() {
				for {
					d, err := sub.Next(ctx)
					if err != nil {
						return
					}
					perform(d)
					sub.Release(greet, 1)
				}
			}()
		}
		for p := range producers {
			go func() {
				for i := range each {
					put(t, b, call(deferred.ID(strconv.Itoa(p*each+i))))
				}
			}()
		}
		<-ctx.Done()
	})
}

func TestAsideIsBounded(t *testing.T) {
	b := memory.New(memory.Config{}).Broker
	for i := range 10_050 {
		put(t, b, driver.Message{Route: driver.Aside, Verb: "malformed", Body: []byte(strconv.Itoa(i))})
	}
	first, n := "", 0
	for d, err := range b.Pending(t.Context(), driver.Page{Route: driver.Aside}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 1 {
			first = string(d.Body)
		}
	}
	if first != "50" || n != 10_000 {
		t.Fatalf("%d are kept, the oldest is number %s, want 10000 from 50 on", n, first)
	}
}

func TestWhatNoServerTakesIsRefused(t *testing.T) {
	pair := memory.New(memory.Config{})
	for _, m := range []driver.Message{
		{Route: driver.Due, ID: "a"},
		{Route: "elsewhere", ID: "a"},
		{Route: driver.Delay, At: time.Now()},
		{Route: driver.Commands, Verb: "cancel"},
	} {
		if err := pair.Broker.Put(t.Context(), []driver.Message{m})[0].Err; err == nil {
			t.Errorf("%+v was stored", m)
		}
	}
	for _, ttl := range []time.Duration{time.Millisecond, 1500 * time.Millisecond, -time.Second} {
		w := driver.Write{Key: driver.Key{Space: driver.Records, Name: "a"}, TTL: ttl}
		if err := pair.Store.Write(t.Context(), []driver.Write{w})[0].Err; err == nil {
			t.Errorf("a time to live of %v was accepted", ttl)
		}
	}
}

func TestNothingIsStoredOnceTheContextHasEnded(t *testing.T) {
	pair := memory.New(memory.Config{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	k := driver.Key{Space: driver.Records, Name: "a"}
	if err := pair.Store.Write(ended, []driver.Write{{Key: k}})[0].Err; err == nil {
		t.Error("the write says that it was stored")
	}
	if err := pair.Broker.Put(ended, []driver.Message{call("a")})[0].Err; err == nil {
		t.Error("the put says that it was stored")
	}
	entries, _ := pair.Store.Read(t.Context(), []driver.Key{k})
	found, _ := pair.Broker.Find(t.Context(), "a")
	if entries[0].Revision != 0 || len(found) > 0 {
		t.Errorf("stored: %v, %v", entries, found)
	}
}

func TestWatcherIsToldOfADeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Config{}).Store
		k := driver.Key{Space: driver.Notes, Name: "a.x"}
		s.Write(t.Context(), []driver.Write{{Key: k, Value: []byte("v")}})
		entries, err := s.Watch(t.Context(), []driver.Key{{Space: driver.Notes, Name: "a.*"}})
		if err != nil {
			t.Fatal(err)
		}
		s.Write(t.Context(), []driver.Write{{Key: k, Delete: true, Expect: driver.Unconditional}})
		if e := <-entries; e.Key != k || e.Value != nil || e.Revision != 0 {
			t.Fatalf("got %+v", e)
		}
	})
}
