package integration

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/jetstream"
	"zasync/pkg/dispatch/jetstream/embedded"
	"zasync/pkg/workerpool"

	"github.com/nats-io/nats.go"
)

// aServer is an embedded one with the seams of a namespace on it.
func aServer(t *testing.T) (*nats.Conn, *dispatch.Queue, driver.Broker) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	s, err := embedded.Start(t.Context(), embedded.Config{Store: t.TempDir(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	store, broker, err := jetstream.OpenPair(t.Context(), nc, jetstream.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return nc, dispatch.New(store, broker, dispatch.Config{Logger: quiet}), broker
}

func TestPoolEndsWhenItsConnectionIsClosedForGood(t *testing.T) {
	nc, q, _ := aServer(t)
	mux := &workerpool.Mux{}
	mux.Handle("greet", func(context.Context, deferred.Content) (deferred.Content, error) { return deferred.Content{}, nil })
	pool := &workerpool.Pool{Source: q, Mux: mux, Logger: slog.New(slog.DiscardHandler)}
	ended := make(chan error, 1)
	go func() { ended <- pool.Run(t.Context()) }()
	if _, err := deferred.SubmitOne(t.Context(), q, deferred.Call{Name: "greet", ID: "a"}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Await(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	nc.Close() // as nats.go does itself when it has tried to reconnect for long enough
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended without an error")
		}
	case <-time.After(time.Minute):
		t.Error("it runs on, with no supply and no heartbeat")
	}
}

func TestLargestMessageThatTheServerTakesIsSetAside(t *testing.T) {
	nc, q, broker := aServer(t)
	feed, err := q.Join(t.Context(), deferred.Worker{Name: "w"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = feed.Leave(context.WithoutCancel(t.Context())) }()
	feed.Want(deferred.Lane{Queue: "default", Name: "greet"}, 1)
	if err := nc.Publish("zasync.q.default.greet.big", make([]byte, nc.MaxPayload())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if r, err := q.Await(ctx, "big"); err != nil || r.Failure.Kind != deferred.KindMalformed {
		t.Fatalf("%s %v (%v)", r.State, r.Failure, err)
	}
	for d, err := range broker.Pending(ctx, driver.Page{Route: driver.Aside}) {
		if err != nil || len(d.Body) != deferred.MaxArgsSize {
			t.Errorf("%d bytes set aside (%v)", len(d.Body), err)
		}
		return
	}
	t.Error("nothing was set aside")
}
