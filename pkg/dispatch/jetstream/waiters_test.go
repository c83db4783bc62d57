package jetstream_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// A thousand who wait share one connection, and no consumer is made for any.
func TestThousandWaitersNeedNoConsumer(t *testing.T) {
	p := settle(t)
	config := dispatch.Config{Logger: slog.New(slog.DiscardHandler)}
	q := dispatch.New(p.store, p.broker, config)
	const waiters = 1000
	calls := make([]deferred.Call, waiters)
	tokens := make([]deferred.PromiseToken, waiters)
	for i := range calls {
		calls[i], tokens[i] = deferred.NewPromise(deferred.ID(fmt.Sprintf("p%d", i)), "promise")
	}
	if _, err := q.Submit(t.Context(), calls...); err != nil {
		t.Fatal(err)
	}
	feed, err := q.Join(t.Context(), deferred.Worker{Name: "worker"})
	if err != nil {
		t.Fatal(err)
	}
	waiting := dispatch.New(p.store, p.broker, config)
	var started, done sync.WaitGroup
	for _, c := range calls {
		started.Add(1)
		done.Go(func() {
			started.Done()
			if r, err := waiting.Await(t.Context(), c.ID); err != nil || r.State != deferred.Succeeded {
				t.Errorf("%s: %s, %v", c.ID, r.State, err)
			}
		})
	}
	started.Wait()
	stream, err := p.js.Stream(t.Context(), "KV_"+p.upper()+"_STATE")
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Consumers; n != 0 {
		t.Errorf("%d consumers stand on the records", n)
	}
	for i, token := range tokens {
		if err := deferred.ResolvePromise(t.Context(), q, token, i); err != nil {
			t.Fatal(err)
		}
	}
	done.Wait()
	if err := feed.Leave(t.Context()); err != nil {
		t.Error(err)
	}
}
