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
