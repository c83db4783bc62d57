package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/connect"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream/embedded"
)

func TestWaitingForWhatNobodyServesSaysSoOnce(t *testing.T) {
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	const text = "zsubmit: no worker serves demo/ad in queue default; still waiting\n"
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &cancelOn{text: text, cancel: cancel}
	args := []string{"call", "demo/ad", "--wait", "--server", srv.URL()}
	code := run(ctx, args, strings.NewReader(""), io.Discard, stderr)
	if code != cmdline.GaveUp || strings.Count(stderr.String(), "no worker") != 1 {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
}

func TestCallIsUnservedOnlyWithoutAWorkerOfItsLane(t *testing.T) {
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	q, err := connect.Options{Server: srv.URL()}.Open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	feed, err := q.Join(t.Context(), deferred.Worker{
		Name: "busy", Incarnation: string(deferred.NewID()), Slots: 1, // it takes nothing
		Lanes: []deferred.Lane{{Queue: "default", Name: "add"}, {Queue: "low", Name: "subtract"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = feed.Leave(t.Context()) }()
	for _, c := range []struct {
		call deferred.Call
		want bool
	}{
		{deferred.Call{Name: "add"}, false},
		{deferred.Call{Name: "subtract", Queue: "low"}, false},
		{deferred.Call{Name: "subtract"}, true},
		{deferred.Call{Name: "ad"}, true},
	} {
		d, err := deferred.SubmitOne(t.Context(), q, c.call)
		if err != nil {
			t.Fatal(err)
		}
		if text := unserved(t.Context(), q, d.ID()); (text != "") != c.want {
			t.Errorf("%v: said %q, want %t", c.call, text, c.want)
		}
	}
}

// town has one call and some workers.
type town struct {
	record  deferred.Record
	workers []dispatch.Heartbeat
	err     error
}

func (w town) Record(context.Context, deferred.ID) (deferred.Record, error) { return w.record, w.err }
func (w town) Workers(context.Context) ([]dispatch.Heartbeat, error)        { return w.workers, nil }

func TestWordsOfWhatNobodyServesNameIt(t *testing.T) {
	serving := func(lanes ...deferred.Lane) []dispatch.Heartbeat { return []dispatch.Heartbeat{{}, {Lanes: lanes}} }
	pending := func(queue, name string) deferred.Record {
		return deferred.Record{ID: "a", Queue: queue, Name: name, State: deferred.Pending}
	}
	const unknown = "a is waited for, but no call with this id is known; still waiting"
	for _, c := range []struct {
		what string
		town town
		want string
	}{
		{"no workers at all", town{record: pending("low", "add")}, "no worker serves add in queue low; still waiting"},
		{"a worker of another queue", town{record: pending("low", "add"), workers: serving(deferred.Lane{Queue: "default", Name: "add"})}, "no worker serves add in queue low; still waiting"},
		{"a worker of another name", town{record: pending("low", "add"), workers: serving(deferred.Lane{Queue: "low", Name: "ad"})}, "no worker serves add in queue low; still waiting"},
		{"a worker", town{record: pending("low", "add"), workers: serving(deferred.Lane{Queue: "low", Name: "add"})}, ""},
		{"no queue in the record", town{record: pending("", "add")}, "no worker serves add in queue default; still waiting"},
		{"no queue in the record, and a worker", town{record: pending("", "add"), workers: serving(deferred.Lane{Queue: "default", Name: "add"})}, ""},
		{"a stub of what nobody has submitted", town{record: pending("", "")}, unknown},
		{"a stub with a queue", town{record: pending("low", ""), workers: serving(deferred.Lane{Queue: "low", Name: "add"})}, unknown},
		{"a name that would move the cursor", town{record: pending("low", "a\x1b[2J")}, `no worker serves a\x1b[2J in queue low; still waiting`},
		{"it runs", town{record: deferred.Record{ID: "a", Name: "add", State: deferred.Running}}, ""},
		{"it waits for others", town{record: deferred.Record{ID: "a", State: deferred.Waiting}}, ""},
		{"nothing is known", town{err: deferred.ErrNotFound}, ""},
	} {
		if got := unserved(t.Context(), c.town, "a"); got != c.want {
			t.Errorf("%s: said %q, want %q", c.what, got, c.want)
		}
	}
}
