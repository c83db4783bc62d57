package suite

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestWide has an All of many wait for as many promises, which are settled in
// their order. That is the worst that can come: each wakes the join. It must not
// read, or write, all of them each time.
func TestWide(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair, members int) {
	clock(t, func(t *testing.T) {
		ctx, cancel := drivertest.Patiently(t)
		defer cancel()
		r := &rig{T: t, ctx: ctx, pair: open(t)}
		counting := &countingStore{Store: r.pair.Store}
		r.queue = r.over(r.pair.Store, r.pair.Broker)
		r.join(r.over(counting, r.pair.Broker), "nothing")
		defer r.leave()
		calls := make([]deferred.Call, members)
		tokens := make([]deferred.PromiseToken, members)
		join := deferred.Call{ID: "wide", Name: "all", Join: &deferred.Join{Mode: deferred.JoinAll}}
		for i := range calls {
			calls[i], tokens[i] = deferred.NewPromise(deferred.ID(fmt.Sprintf("m%d", i)), "member")
			join.Join.Members = append(join.Join.Members, calls[i].ID)
		}
		r.submit(calls...)
		r.submit(join)
		for i, token := range tokens {
			if err := deferred.ResolvePromise(ctx, r.queue, token, i); err != nil {
				t.Fatal(err)
			}
		}
		rec := r.await("wide", deferred.Succeeded)
		var values []int
		if err := rec.Result.Decode(&values); err != nil || len(values) != members || values[members-1] != members-1 {
			t.Errorf("result of %d values, the last %v; %v", len(values), values[max(0, len(values)-1):], err)
		}
		if n := counting.reads.Load(); n > int64(40*members) {
			t.Errorf("%d records were read for a join of %d", n, members)
		}
		t.Logf("%d members: %d records read", members, counting.reads.Load())
	})
}

// countingStore counts the entries that are read.
type countingStore struct {
	driver.Store
	reads atomic.Int64
}

func (s *countingStore) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	s.reads.Add(int64(len(keys)))
	return s.Store.Read(ctx, keys)
}

func (s *countingStore) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	s.reads.Add(int64(len(keys)))
	return s.Store.ReadLatest(ctx, keys)
}
