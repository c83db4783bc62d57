package jetstream_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"

	"github.com/nats-io/nats-server/v2/server"
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
	var done sync.WaitGroup
	for _, c := range calls {
		done.Go(func() {
			if r, err := waiting.Await(t.Context(), c.ID); err != nil || r.State != deferred.Succeeded {
				t.Errorf("%s: %s, %v", c.ID, r.State, err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for p.listeners(t) < waiters { // it is the server that has to know of them
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("they never listened")
		}
	}
	for stream, names := range p.consumers(t) {
		for _, name := range names {
			if !slices.Contains([]string{"later", "do", "due"}, name) { // these are the worker's
				t.Errorf("the consumer %s stands on %s", name, stream)
			}
		}
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

// listeners is how many subscriptions to records the server has of this connection.
func (p *place) listeners(t *testing.T) (n int) {
	t.Helper()
	id, err := p.nc.GetClientID()
	if err != nil {
		t.Fatal(err)
	}
	connections, err := shared.Connz(&server.ConnzOptions{CID: id, Subscriptions: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range connections.Conns {
		for _, subject := range c.Subs {
			if strings.HasPrefix(subject, p.config.Namespace+".live.state.") {
				n++
			}
		}
	}
	return n
}

// consumers are the names of those that stand on each stream of the place.
func (p *place) consumers(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	streams := p.js.StreamNames(t.Context())
	for name := range streams.Name() {
		if !strings.HasPrefix(strings.TrimPrefix(name, "KV_"), p.upper()+"_") {
			continue
		}
		stream, err := p.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		found[name] = nil
		consumers := stream.ConsumerNames(t.Context())
		for consumer := range consumers.Name() {
			found[name] = append(found[name], consumer)
		}
		if err := consumers.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := streams.Err(); err != nil || len(found) < 8 {
		t.Fatalf("%d streams, %v", len(found), err)
	}
	return found
}
