package jetstream_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/jetstream"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// streams of a namespace, in the order in which they are made.
var (
	spareStreams = []string{"ASIDE", "KV_WORKERS", "KV_CONFIG"}
	keptStreams  = []string{"QUEUE", "DELAY", "KV_STATE", "KV_NOTES", "KV_UNHANDLED"}
	allStreams   = []string{"QUEUE", "DELAY", "ASIDE", "KV_STATE", "KV_NOTES", "KV_UNHANDLED", "KV_WORKERS", "KV_CONFIG"}
)

// queue is the queue over the seams of a place.
func (p *place) queue(t *testing.T) *dispatch.Queue {
	t.Helper()
	p.open(t)
	return dispatch.New(p.store, p.broker, dispatch.Config{Lease: p.config.Lease, Logger: p.config.Logger})
}

func (p *place) delete(t *testing.T, stream string) natsjs.StreamConfig {
	t.Helper()
	s, err := p.js.Stream(patiently(t), p.stream(stream))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.js.DeleteStream(patiently(t), p.stream(stream)); err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().Config
}

func (p *place) has(t *testing.T, stream string) bool {
	t.Helper()
	_, err := p.js.Stream(patiently(t), p.stream(stream))
	if err != nil && !errors.Is(err, natsjs.ErrStreamNotFound) {
		t.Fatal(err)
	}
	return err == nil
}

// heartbeat is that of the only worker.
func heartbeat(t *testing.T, q *dispatch.Queue) (h liveness.Heartbeat, ok bool) {
	t.Helper()
	workers, err := q.Workers(patiently(t))
	if err != nil || len(workers) != 1 {
		return h, false
	}
	return workers[0], true
}

// lines are those of a log.
type lines struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// count tells how many lines have all of the parts.
func (l *lines) count(parts ...string) (n int) {
	for line := range strings.Lines(l.String()) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			n++
		}
	}
	return n
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx := patiently(t)
	for !holds() {
		if ctx.Err() != nil {
			t.Fatalf("it never came that %s", what)
		}
	}
}

// touch uses the stream, as a worker or a client would.
func touch(ctx context.Context, q *dispatch.Queue, stream string) error {
	switch stream {
	case "DELAY":
		_, err := q.Record(ctx, "nothing")
		return err
	case "KV_STATE":
		_, err := q.Await(ctx, "nothing")
		return err
	case "KV_NOTES":
		return q.Annotate(ctx, "unserved", deferred.Note{Key: "k", Value: []byte("1")})
	case "KV_UNHANDLED":
		for _, err := range q.Unhandled(ctx) {
			return err
		}
	}
	return submitTo(ctx, q, "", greet.Name)
}

func submitTo(ctx context.Context, q *dispatch.Queue, id deferred.ID, name string) error {
	_, err := deferred.SubmitOne(ctx, q, deferred.Call{ID: id, Name: name})
	return err
}

// offered is what the feed offers next.
func offered(t *testing.T, feed deferred.Feed) <-chan deferred.Offer {
	offers := make(chan deferred.Offer, 1)
	ctx := patiently(t)
	go func() {
		if o, err := feed.Next(ctx); err == nil {
			offers <- o
		}
	}()
	return offers
}

func TestWorkerTakesNoCallsWhileAStreamIsMissing(t *testing.T) {
	t.Parallel()
	for _, stream := range keptStreams {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			p, l := claim(t), new(lines)
			p.config.Logger = l.logger()
			q := p.queue(t)
			feed := join(t, q, deferred.Lane{Queue: greet.Queue, Name: greet.Name})
			for id, name := range map[deferred.ID]string{"unserved": "other", "first": greet.Name} {
				if err := submitTo(patiently(t), q, id, name); err != nil {
					t.Fatal(err)
				}
			}
			perform(t, feed, succeeded(1))
			config := p.delete(t, stream)

			var missing *driver.MissingError
			waitFor(t, "its use is refused", func() bool { return errors.As(touch(patiently(t), q, stream), &missing) })
			if missing.Stream != config.Name || missing.Lost == "" || !strings.Contains(missing.Error(), "--remake") {
				t.Errorf("it is said that %v", missing)
			}
			waitFor(t, "the heartbeat says so", func() bool {
				h, ok := heartbeat(t, q)
				return ok && strings.Contains(h.Unhealthy, config.Name)
			})
			offers := offered(t, feed)
			if stream != "QUEUE" {
				if err := submitTo(patiently(t), q, "", greet.Name); err != nil {
					t.Fatal(err)
				}
			}
			before, _ := heartbeat(t, q)
			waitFor(t, "the worker lives on", func() bool {
				h, ok := heartbeat(t, q)
				return ok && h.Time.Sub(before.Time) > 2*time.Second
			})
			if len(offers) > 0 {
				t.Error("a call was taken")
			}
			if p.has(t, stream) {
				t.Error("it was made anew")
			}
			if n := l.count("level=ERROR", "stream is missing", config.Name); n != 1 {
				t.Errorf("that was said %d times:\n%s", n, l)
			}

			if _, err := p.js.CreateStream(patiently(t), config); err != nil { // restored
				t.Fatal(err)
			}
			waitFor(t, "the heartbeat is well again", func() bool {
				h, ok := heartbeat(t, q)
				return ok && h.Unhealthy == ""
			})
			if stream == "QUEUE" {
				if err := submitTo(patiently(t), q, "", greet.Name); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-offers:
			case <-patiently(t).Done():
				t.Fatal("no call is taken any more")
			}
			if n := l.count("all streams are there again"); n != 1 {
				t.Errorf("that it is over was said %d times:\n%s", n, l)
			}
		})
	}
}

func TestStreamThatNothingRestsOnIsMadeAnewUnderWorkers(t *testing.T) {
	t.Parallel()
	p, l := claim(t), new(lines)
	p.config.Logger = l.logger()
	q := p.queue(t)
	feed := join(t, q, deferred.Lane{Queue: greet.Queue, Name: greet.Name})
	for _, stream := range []string{"KV_WORKERS", "ASIDE"} {
		name := p.delete(t, stream).Name
		if _, err := p.js.Publish(patiently(t), p.config.Namespace+".q.default.greet", nil, natsjs.WithMsgID("x")); err != nil {
			t.Fatal(err)
		}
		put(t, p.broker, driver.Message{Route: driver.Aside, Verb: "malformed"})
		waitFor(t, "it is there again", func() bool { return p.has(t, stream) })
		waitFor(t, "the worker is seen", func() bool { h, ok := heartbeat(t, q); return ok && h.Unhealthy == "" })
		if n := l.count("level=WARN", "is made anew", name); n != 1 {
			t.Errorf("%s: that was said %d times:\n%s", stream, n, l)
		}
	}
	if err := submitTo(patiently(t), q, "", greet.Name); err != nil {
		t.Fatal(err)
	}
	perform(t, feed, succeeded(1))
}

// Somebody who begins with nothing deletes all streams, and must not find one of them
// made anew by a worker.
func TestWorkerMakesNothingAnewWhereMoreIsMissing(t *testing.T) {
	t.Parallel()
	p := claim(t)
	q := p.queue(t)
	join(t, q, deferred.Lane{Queue: greet.Queue, Name: greet.Name})
	p.delete(t, "KV_STATE")
	p.delete(t, "KV_WORKERS")
	waitFor(t, "heartbeats are missed", func() bool {
		_, err := q.Workers(patiently(t))
		return errors.Is(err, driver.ErrMissing)
	})
	if p.has(t, "KV_WORKERS") {
		t.Error("the heartbeats were made anew")
	}
	p.config.Remake = true
	p.open(t)
	waitFor(t, "the worker is seen", func() bool { h, ok := heartbeat(t, q); return ok && h.Unhealthy == "" })
}

func TestOpenRefusesWhatHasLostAStream(t *testing.T) {
	for _, stream := range keptStreams {
		t.Run(stream, func(t *testing.T) {
			t.Parallel()
			p, l := settle(t), new(lines)
			name := p.delete(t, stream).Name
			_, _, err := jetstream.OpenPair(patiently(t), p.nc, p.config)
			var missing *driver.MissingError
			if !errors.As(err, &missing) || missing.Stream != name {
				t.Fatalf("got %v, want that %s is missing", err, name)
			}
			if p.has(t, stream) {
				t.Error("it was made anew")
			}
			p.config.Remake, p.config.Logger = true, l.logger()
			p.open(t)
			if n := l.count("level=WARN", "made anew", name); n != 1 || !p.has(t, stream) {
				t.Errorf("that it was made anew is said %d times", n)
			}
		})
	}
}

func TestOpenMakesAnewWhatNothingRestsOn(t *testing.T) {
	for _, stream := range spareStreams {
		p, l := settle(t), new(lines)
		if stream == "KV_CONFIG" { // the last one might never have been made, had there been no worker
			subscribe(t, p.broker, 1, greet)
			p.waiting(t, "default+greet", true)
		}
		name := p.delete(t, stream).Name
		p.config.Logger = l.logger()
		p.open(t)
		if n := l.count("level=WARN", "made anew", name); n != 1 || !p.has(t, stream) {
			t.Errorf("%s: that it was made anew is said %d times", stream, n)
		}
	}
}

// Whoever makes a namespace may die at any of its streams.
func TestOpenCompletesANamespaceThatWasNeverWhole(t *testing.T) {
	for n := range allStreams {
		p, l := settle(t), new(lines)
		for _, stream := range allStreams[n:] {
			p.delete(t, stream)
		}
		p.config.Logger = l.logger()
		p.open(t)
		for _, stream := range allStreams {
			if !p.has(t, stream) {
				t.Errorf("%s was not made when there were %v", stream, allStreams[:n])
			}
		}
		if l.String() != "" {
			t.Errorf("it is said that %s", l)
		}
	}
}

// Of a namespace in which somebody has worked, nothing is missing because it was not made yet.
func TestOpenRefusesWhatHasLostItsLastStreams(t *testing.T) {
	p := settle(t)
	subscribe(t, p.broker, 1, greet)
	p.waiting(t, "default+greet", true)
	for _, stream := range allStreams[3:] {
		p.delete(t, stream)
	}
	_, _, err := jetstream.OpenPair(patiently(t), p.nc, p.config)
	for _, stream := range allStreams[3:6] {
		if !errors.Is(err, driver.ErrMissing) || !strings.Contains(err.Error(), p.stream(stream)) {
			t.Errorf("got %v, want that %s is missing", err, stream)
		}
	}
}

// Programs that come while the first worker makes the streams and joins must not take
// what they do not see yet for lost.
func TestOpenWhileTheFirstWorkerMakesTheStreamsFindsNothingLost(t *testing.T) {
	for range 5 {
		p := claim(t)
		var coming sync.WaitGroup
		for range 10 {
			nc := connect(t)
			coming.Go(func() {
				q, err := jetstream.Open(patiently(t), nc, p.config)
				if err != nil {
					t.Error(err)
					return
				}
				feed, err := q.Join(patiently(t), deferred.Worker{Name: t.Name()})
				if err != nil {
					t.Error(err)
					return
				}
				_ = feed.Leave(patiently(t))
			})
		}
		coming.Wait()
	}
}
