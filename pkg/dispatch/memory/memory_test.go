package memory_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/dispatchtest"
	"zasync/pkg/dispatch/memory"
)

func TestStoreKeepsTheContract(t *testing.T) {
	dispatchtest.TestStore(t, synctest.Test, func(*testing.T) dispatch.Store {
		return memory.New(memory.Config{}).Store
	})
}

func TestBrokerKeepsTheContract(t *testing.T) {
	dispatchtest.TestBroker(t, synctest.Test, func(*testing.T) dispatchtest.Brokering {
		return dispatchtest.Brokering{Broker: memory.New(memory.Config{}).Broker, Lease: memory.DefaultLease}
	})
}

var greet = dispatch.Lane{Route: dispatch.Ready, Queue: "default", Name: "greet"}

func call(id deferred.ID) dispatch.Message {
	return dispatch.Message{Route: dispatch.Ready, Queue: "default", Name: "greet", ID: id}
}

func put(t *testing.T, b *memory.Broker, m dispatch.Message) {
	t.Helper()
	if err := b.Put(t.Context(), []dispatch.Message{m})[0].Err; err != nil {
		t.Fatal(err)
	}
}

func subscribe(t *testing.T, b *memory.Broker, l dispatch.Lane) dispatch.Subscription {
	t.Helper()
	sub, err := b.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sub.Want(l, 1000)
	return sub
}

func next(t *testing.T, sub dispatch.Subscription) dispatch.Delivery {
	t.Helper()
	d, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func settle(t *testing.T, b *memory.Broker, d dispatch.Delivery, v dispatch.Verdict) {
	t.Helper()
	if err := b.Settle(t.Context(), []dispatch.Settlement{{Delivery: d, Verdict: v}}); err != nil {
		t.Fatal(err)
	}
}

func TestTimesAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(memory.Config{Lease: 3 * time.Second}).Broker
		due := subscribe(t, b, dispatch.Lane{Route: dispatch.Due})
		at := time.Now().Add(time.Hour + time.Nanosecond)
		put(t, b, dispatch.Message{Route: dispatch.Delay, ID: "a", At: at})
		d := next(t, due)
		if !d.Got.Equal(at) {
			t.Errorf("the schedule fired at %v, want %v", d.Got, at)
		}
		time.Sleep(time.Second)
		settle(t, b, d, dispatch.Extend)
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
		settle(t, b, stale, dispatch.GiveBack)
		if d := next(t, sub); d.Deliveries != 3 {
			t.Fatalf("delivered %d times, want 3", d.Deliveries)
		}
		settle(t, b, stale, dispatch.Done)
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
		settle(t, b, a, dispatch.GiveBack)
		settle(t, b, a, dispatch.Done)
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
		settle(t, b, a, dispatch.GiveBack)
		settle(t, b, a, dispatch.GiveBack) // is heard once
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
			waiters.Go(func() { settle(t, b, next(t, sub), dispatch.Done) })
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
		perform := func(d dispatch.Delivery) {
			switch {
			case d.Deliveries == 1 && d.Seq%5 == 0:
				return // and the lease ends
			case d.Deliveries == 1 && d.Seq%5 == 1:
				settle(t, b, d, dispatch.GiveBack)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if done[d.ID] {
				t.Errorf("%q came after it was done", d.ID)
			}
			done[d.ID] = true
			settle(t, b, d, dispatch.Done)
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
		put(t, b, dispatch.Message{Route: dispatch.Aside, Verb: "malformed", Body: []byte(strconv.Itoa(i))})
	}
	first, n := "", 0
	for d, err := range b.Pending(t.Context(), dispatch.Page{Route: dispatch.Aside}) {
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
	for _, m := range []dispatch.Message{
		{Route: dispatch.Due, ID: "a"},
		{Route: "elsewhere", ID: "a"},
		{Route: dispatch.Delay, At: time.Now()},
		{Route: dispatch.Commands, Verb: "cancel"},
	} {
		if err := pair.Broker.Put(t.Context(), []dispatch.Message{m})[0].Err; err == nil {
			t.Errorf("%+v was stored", m)
		}
	}
	for _, ttl := range []time.Duration{time.Millisecond, 1500 * time.Millisecond, -time.Second} {
		w := dispatch.Write{Key: dispatch.Key{Space: dispatch.Records, Name: "a"}, TTL: ttl}
		if err := pair.Store.Write(t.Context(), []dispatch.Write{w})[0].Err; err == nil {
			t.Errorf("a time to live of %v was accepted", ttl)
		}
	}
}

func TestNothingIsStoredOnceTheContextHasEnded(t *testing.T) {
	pair := memory.New(memory.Config{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	k := dispatch.Key{Space: dispatch.Records, Name: "a"}
	if err := pair.Store.Write(ended, []dispatch.Write{{Key: k}})[0].Err; err == nil {
		t.Error("the write says that it was stored")
	}
	if err := pair.Broker.Put(ended, []dispatch.Message{call("a")})[0].Err; err == nil {
		t.Error("the put says that it was stored")
	}
	entries, _ := pair.Store.Read(t.Context(), []dispatch.Key{k})
	found, _ := pair.Broker.Find(t.Context(), "a")
	if entries[0].Revision != 0 || len(found) > 0 {
		t.Errorf("stored: %v, %v", entries, found)
	}
}

func TestWatcherIsToldOfADeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(memory.Config{}).Store
		k := dispatch.Key{Space: dispatch.Notes, Name: "a.x"}
		s.Write(t.Context(), []dispatch.Write{{Key: k, Value: []byte("v")}})
		entries, err := s.Watch(t.Context(), []dispatch.Key{{Space: dispatch.Notes, Name: "a.*"}})
		if err != nil {
			t.Fatal(err)
		}
		s.Write(t.Context(), []dispatch.Write{{Key: k, Delete: true, Expect: dispatch.Unconditional}})
		if e := <-entries; e.Key != k || e.Value != nil || e.Revision != 0 {
			t.Fatalf("got %+v", e)
		}
	})
}
