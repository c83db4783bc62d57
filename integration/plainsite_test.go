package integration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"zasync/integration/internal/plainclient"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"
	"zasync/pkg/dispatch/jetstream/embedded"
	"zasync/pkg/workerpool"
)

// plainSite is a server with a queue, and a client that has nothing of ours.
type plainSite struct {
	*plainclient.Client
	t     *testing.T
	ctx   context.Context //nolint:containedctx // bounds every wait of one test
	queue *dispatch.Queue
	url   string
}

func newPlainSite(t *testing.T) *plainSite {
	t.Helper()
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	connect := func() *nats.Conn {
		nc, err := srv.Connect()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	q, err := jetstream.Open(t.Context(), connect(), jetstream.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return &plainSite{Client: &plainclient.Client{Conn: connect()}, t: t, ctx: ctx, queue: q, url: srv.URL()}
}

// work runs a pool with tiny handlers until the test ends.
func (s *plainSite) work(mux *workerpool.Mux) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	pool := &workerpool.Pool{Source: s.queue, Mux: mux, Grace: -1, Logger: slog.New(slog.DiscardHandler)}
	go func() { done <- pool.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
}

func echo() *workerpool.Mux {
	var mux workerpool.Mux
	mux.Handle("demo/echo", func(_ context.Context, in deferred.Content) (deferred.Content, error) { return in, nil })
	mux.Handle("demo/fail", func(context.Context, deferred.Content) (deferred.Content, error) {
		return deferred.Content{}, deferred.Permanent(errors.New("as asked"))
	})
	return &mux
}

func (s *plainSite) submit(subject, body string, headers ...string) string {
	s.t.Helper()
	seq, err := s.Submit(s.ctx, plainclient.Message(subject, body, headers...))
	if err != nil {
		s.t.Fatal(err)
	}
	return strconv.FormatUint(seq, 10)
}

// settled waits for the deferred, and checks its state and its result.
func (s *plainSite) settled(id, state, result string) *plainclient.Record {
	s.t.Helper()
	r, err := s.Await(s.ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	if r.State != state || string(r.Result) != result {
		s.t.Errorf("%s is %s with %s, not %s with %s (%+v)", id, r.State, r.Result, state, result, r.Failure)
	}
	return r
}

func childID(parent string, index int) string {
	sum := sha256.Sum256([]byte(parent + "\x00" + strconv.Itoa(index)))
	return hex.EncodeToString(sum[:16])
}
