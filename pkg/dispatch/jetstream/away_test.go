package jetstream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// leaderless is a queue on a server that can be without JetStream for a time: then
// nobody answers for a stream, as while servers elect its leader.
func leaderless(t *testing.T) (p *place, q *dispatch.Queue, lead func(bool)) {
	t.Helper()
	// The client looks at no streams: a server races with itself when it is asked for
	// one while its JetStream is enabled again.
	blind := &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.INFO.>"}}}
	o := &server.Options{
		DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Users: []*server.User{{Username: "maker", Password: "m"}, {Username: "client", Password: "c", Permissions: blind}},
	}
	s := runServer(o)
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	p = claim(t)
	var err error
	for _, u := range o.Users {
		if p.nc, err = nats.Connect("", nats.InProcessServer(s), nats.UserInfo(u.Username, u.Password)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.nc.Close)
		if p.js, err = natsjs.New(p.nc); err != nil {
			t.Fatal(err)
		}
		p.open(t)
	}
	return p, dispatch.New(p.store, p.broker, dispatch.Config{Logger: p.config.Logger}), func(yes bool) {
		if !yes {
			err = s.DisableJetStream()
		} else {
			err = s.EnableJetStream(&server.JetStreamConfig{StoreDir: o.StoreDir, MaxStore: 1 << 30, MaxMemory: 1 << 20})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// outlasts does something that is begun without a leader, and tried for a while.
func outlasts(t *testing.T, p *place, lead func(bool), tries uint64, do func() error) error {
	t.Helper()
	lead(false)
	asked := p.nc.Stats().OutMsgs
	done := make(chan error, 1)
	go func() { done <- do() }()
	eventually(t, "it is tried for a while", func() bool { return p.nc.Stats().OutMsgs > asked+tries })
	lead(true)
	return <-done
}

func TestSubmitAndCommandsOutlastAStreamWithoutALeader(t *testing.T) {
	t.Parallel()
	p, q, lead := leaderless(t)
	if _, err := q.Submit(patiently(t), deferred.Call{Name: "greet", ID: "a"}); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"submit": func() error {
			_, err := deferred.SubmitOne(patiently(t), q, deferred.Call{Name: "greet"})
			return err
		},
		"cancel": func() error { return q.Open("a").Cancel(patiently(t), "") },
	} {
		if err := outlasts(t, p, lead, 25, do); err != nil { // the broker itself tries some 20 times
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestListOutlastsAStreamWithoutALeader(t *testing.T) {
	t.Parallel()
	p, _, lead := leaderless(t)
	err := outlasts(t, p, lead, 10, func() (last error) {
		for _, err := range p.store.List(patiently(t), driver.Query{Space: driver.Records}) {
			last = err
		}
		return last
	})
	if err != nil {
		t.Error(err)
	}
}

func TestErrorOfAnEndedContextSaysThatNothingWasSent(t *testing.T) {
	p := settle(t)
	q := dispatch.New(p.store, p.broker, dispatch.Config{Logger: p.config.Logger})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := deferred.SubmitOne(ctx, q, deferred.Call{Name: "greet"})
	if !errors.Is(err, context.Canceled) || errors.Is(err, driver.ErrUnknown) || !strings.Contains(err.Error(), "was not sent") {
		t.Errorf("got %v", err)
	}
}

func TestErrorAfterALostAnswerSaysThatItMayBeStored(t *testing.T) {
	p := settle(t)
	mute(t, p, "QUEUE")
	q := dispatch.New(p.store, p.broker, dispatch.Config{Logger: p.config.Logger})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := deferred.SubmitOne(ctx, q, deferred.Call{Name: "greet"})
	if !errors.Is(err, driver.ErrUnknown) || strings.Contains(err.Error(), "nothing was stored") {
		t.Errorf("got %v", err)
	}
}

// Without a leader of the cluster, each server says so itself.
func TestOpenOutlastsAnElection(t *testing.T) {
	o := &server.Options{DontListen: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	s := runServer(o)
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	asked := make(chan struct{}, 100)
	electing, err := nc.Subscribe("$JS.API.>", func(m *nats.Msg) {
		_ = m.Respond([]byte(`{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}`))
		asked <- struct{}{}
	})
	if err != nil {
		t.Fatal(err)
	}
	opened, c, ctx := make(chan error, 1), claim(t).config, patiently(t)
	go func() {
		_, err := jetstream.Open(ctx, nc, c)
		opened <- err
	}()
	for range 3 {
		select {
		case <-asked:
		case err := <-opened:
			t.Fatalf("it ended meanwhile: %v", err)
		}
	}
	if err := s.EnableJetStream(&server.JetStreamConfig{StoreDir: o.StoreDir, MaxStore: 1 << 30, MaxMemory: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	if err := electing.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}
