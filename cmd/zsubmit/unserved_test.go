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
		if lane, got := unserved(t.Context(), q, d.ID()); got != c.want {
			t.Errorf("%v: unserved is %t, want %t", lane, got, c.want)
		}
	}
}
