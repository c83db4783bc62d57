package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/dispatch/jetstream/embedded"
)

// cancelOn cancels when a text is written.
type cancelOn struct {
	strings.Builder
	text   string
	cancel func()
}

func (c *cancelOn) Write(p []byte) (int, error) {
	n, err := c.Builder.Write(p)
	if strings.Contains(c.String(), c.text) {
		c.cancel()
	}
	return n, err
}

// What ends the context is Ctrl-C, or another signal.
func TestInterruptedWaitingSaysHowToComeBack(t *testing.T) {
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	t.Setenv("NATS_URL", srv.URL())
	stdin := strings.NewReader("")
	if code := run(t.Context(), []string{"call", "demo/echo", "--id", "x", "--in", "1h"}, stdin, io.Discard, io.Discard); code != cmdline.Done {
		t.Fatal("not submitted: exit code ", code)
	}
	run(t.Context(), []string{"annotate", "x", "seen", "true"}, stdin, io.Discard, io.Discard)
	for _, args := range [][]string{{"wait", "x", "-v"}, {"call", "demo/echo", "--id", "x", "--in", "1h", "--wait", "-v"}} {
		ctx, cancel := context.WithCancel(t.Context())
		stderr := &cancelOn{text: "seen", cancel: cancel}
		code := run(ctx, args, stdin, io.Discard, stderr)
		if code != cmdline.GaveUp || !strings.Contains(stderr.String(), `no longer waiting for x; it goes on, and "zsubmit wait x" waits again`) {
			t.Errorf("%q: exit code %d, %s", args, code, stderr.String())
		}
	}
}
