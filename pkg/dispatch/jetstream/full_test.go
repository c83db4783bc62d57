package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// small is a server of one test whose store takes so many MiB.
func small(t *testing.T, mebibytes int64) (*nats.Conn, natsjs.JetStream) {
	t.Helper()
	return serve(t, &server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: mebibytes << 20, NoSigs: true, NoLog: true})
}

func serve(t *testing.T, o *server.Options) (*nats.Conn, natsjs.JetStream) {
	t.Helper()
	s := runServer(o)
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

var quiet = slog.New(slog.DiscardHandler)

func openQueue(t *testing.T, nc *nats.Conn, c jetstream.Config) *dispatch.Queue {
	t.Helper()
	c.Logger = quiet
	q, err := jetstream.Open(patiently(t), nc, c)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func join(t *testing.T, q *dispatch.Queue, lanes ...deferred.Lane) deferred.Feed {
	t.Helper()
	feed, err := q.Join(patiently(t), deferred.Worker{Name: t.Name(), Lanes: lanes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = feed.Leave(context.WithoutCancel(t.Context())) })
	for _, l := range lanes {
		feed.Want(l, 4)
	}
	return feed
}

// perform takes one call and settles it.
func perform(t *testing.T, feed deferred.Feed, o deferred.Outcome) deferred.ID {
	t.Helper()
	offer, err := feed.Next(patiently(t))
	if err != nil {
		t.Fatal(err)
	}
	a, err := feed.Claim(patiently(t), offer)
	if err != nil {
		t.Fatal(err)
	}
	if err := feed.Settle(patiently(t), a, o); err != nil {
		t.Fatal(err)
	}
	return offer.ID
}

// stuff submits calls that nobody performs until one is refused.
func stuff(t *testing.T, q *dispatch.Queue) {
	t.Helper()
	for i := range 10_000 {
		c := deferred.Call{Name: "unserved", Args: deferred.Content{Type: deferred.TypeBytes, Data: make([]byte, 200_000)}}
		_, err := deferred.SubmitOne(patiently(t), q, c)
		if errors.Is(err, driver.ErrFull) {
			return
		}
		if err != nil {
			t.Fatalf("call %d: %v, want it stored or %v", i, err, driver.ErrFull)
		}
	}
	t.Fatal("nothing was refused")
}

var served = deferred.Lane{Queue: "default", Name: "served"}

func succeeded(size int) deferred.Outcome {
	return deferred.Outcome{State: deferred.Succeeded, Result: deferred.Content{Type: deferred.TypeBytes, Data: make([]byte, size)}}
}

// What anybody may publish never takes the room of records and heartbeats.
func TestFullQueueIsWorkedOff(t *testing.T) {
	nc, js := small(t, 64)
	q := openQueue(t, nc, jetstream.Config{})
	ids := map[deferred.ID]bool{}
	for i := range 20 {
		id := deferred.ID(fmt.Sprint("served", i))
		ids[id] = true
		if _, err := deferred.SubmitOne(t.Context(), q, deferred.Call{Name: served.Name, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	stuff(t, q)
	feed := join(t, q, served)
	for len(ids) > 0 {
		id := perform(t, feed, succeeded(deferred.MaxResultSize))
		delete(ids, id)
	}
	stuff(t, q) // into the room that was made
	if beats, err := q.Workers(t.Context()); err != nil || len(beats) != 1 {
		t.Errorf("%d workers are alive (%v), want 1", len(beats), err)
	}
	queue, err := js.Stream(t.Context(), "ZASYNC_QUEUE")
	if err == nil {
		err = queue.Purge(t.Context(), natsjs.WithPurgeSubject("zasync.q.default.unserved.>"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deferred.SubmitOne(t.Context(), q, deferred.Call{Name: served.Name, ID: "after"}); err != nil {
		t.Fatal(err)
	}
	if id := perform(t, feed, succeeded(1)); id != "after" {
		t.Errorf("%s was performed, want the one that came after", id)
	}
}

// A store that something else has filled refuses all, and nothing is lost by it.
func TestStoreFilledBySomethingElseGoesOnOnceThereIsRoom(t *testing.T) {
	nc, js := small(t, 64)
	q := openQueue(t, nc, jetstream.Config{})
	feed := join(t, q, served)
	for _, id := range []deferred.ID{"running", "waiting"} {
		if _, err := deferred.SubmitOne(t.Context(), q, deferred.Call{Name: served.Name, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	offer, err := feed.Next(patiently(t))
	if err != nil {
		t.Fatal(err)
	}
	running, err := feed.Claim(patiently(t), offer)
	if err != nil {
		t.Fatal(err)
	}
	fillStore(t, js)
	if _, err := deferred.SubmitOne(t.Context(), q, deferred.Call{Name: served.Name}); !errors.Is(err, driver.ErrFull) {
		t.Errorf("submit: %v, want %v", err, driver.ErrFull)
	}
	settled := make(chan error, 1)
	go func() { settled <- feed.Settle(patiently(t), running, succeeded(1)) }()
	if err := q.Do(patiently(t), deferred.Command{Verb: deferred.Hold, ID: "waiting"}); !errors.Is(err, driver.ErrFull) {
		t.Errorf("hold: %v, want %v", err, driver.ErrFull)
	}
	if err := js.DeleteStream(t.Context(), "FILLER"); err != nil {
		t.Fatal(err)
	}
	if err := <-settled; err != nil {
		t.Errorf("settle: %v", err)
	}
	for {
		offer, err := feed.Next(patiently(t))
		if err != nil {
			t.Fatal(err)
		}
		a, err := feed.Claim(patiently(t), offer)
		if errors.Is(err, deferred.ErrTaken) {
			continue
		}
		if err == nil {
			err = feed.Settle(patiently(t), a, succeeded(1))
		}
		if err != nil || offer.ID != "waiting" {
			t.Errorf("%s: %v, want the one that waited", offer.ID, err)
		}
		return
	}
}

// fillStore takes all room of the store with a stream of another program.
func fillStore(t *testing.T, js natsjs.JetStream) {
	t.Helper()
	if _, err := js.CreateStream(t.Context(), natsjs.StreamConfig{Name: "FILLER", Subjects: []string{"filler"}}); err != nil {
		t.Fatal(err)
	}
	for size := 1 << 19; size > 0; size /= 64 {
		for {
			if _, err := js.Publish(t.Context(), "filler", make([]byte, size)); err != nil {
				break
			}
		}
	}
}
