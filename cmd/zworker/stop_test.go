package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/dispatch/jetstream/embedded"
)

func TestWorkerThatIsStoppedWhileItStartsHasNotFailed(t *testing.T) {
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"run", "--server", srv.URL()},
		{"dev", "--listen", "127.0.0.1:0", "--store", t.TempDir()},
	} {
		var stderr strings.Builder
		if code := run(ctx, args, strings.NewReader(""), io.Discard, &stderr); code != cmdline.Done {
			t.Errorf("%q: exit code %d, %s", args, code, stderr.String())
		}
	}
}

func TestWorkerThatIsStoppedWhileItJoinsHasNotFailed(t *testing.T) {
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	ctx, cancel := context.WithCancelCause(t.Context())
	stderr := &cancelOn{text: "msg=serving", cancel: func() { cancel(errors.New("signal received")) }}
	if code := run(ctx, []string{"run", "--server", srv.URL()}, strings.NewReader(""), io.Discard, stderr); code != cmdline.Done {
		t.Errorf("exit code %d, %s", code, stderr.written.String())
	}
}

func TestWorkerWaitsForItsServerUntilItIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	stderr := &cancelOn{text: "trying again", cancel: cancel}
	code := run(ctx, []string{"run", "--server", "nats://joe:hush@127.0.0.1:1"}, strings.NewReader(""), io.Discard, stderr)
	said := stderr.written.String()
	if code != cmdline.Done || !strings.Contains(said, "no NATS server answers at nats://127.0.0.1:1") || strings.Contains(said, "hush") {
		t.Errorf("exit code %d, %s", code, said)
	}
}

func TestWorkerServesWhenItsServerHasCome(t *testing.T) {
	addr, err := freeAddr()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waits := make(chan struct{})
	joined := &cancelOn{text: "worker joined", cancel: cancel}
	stderr := io.MultiWriter(joined, &cancelOn{text: "trying again", cancel: sync.OnceFunc(func() { close(waits) })})
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"run", "--server", "nats://" + addr}, strings.NewReader(""), io.Discard, stderr)
	}()
	<-waits
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: addr, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	if code := <-ended; code != cmdline.Done || !strings.Contains(joined.written.String(), "connected to the server") {
		t.Errorf("exit code %d, %s", code, joined.written.String())
	}
}
