package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"zasync/cmd/internal/cmdline"
)

// cancelOn cancels when a text is written.
type cancelOn struct {
	text   string
	cancel func()

	mu      sync.Mutex
	written strings.Builder
}

func (c *cancelOn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.written.Write(p)
	if strings.Contains(c.written.String(), c.text) {
		c.cancel()
	}
	return n, err
}

func TestInterruptedDemoSaysSoOnce(t *testing.T) {
	dir := t.TempDir()
	for i := range 100 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte("one two\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range []string{"in all", "one a file", "25 of 100 files", "demo/total"} {
		ctx, cancel := context.WithCancel(t.Context())
		var stderr strings.Builder
		code := run(ctx, []string{"demo", dir}, strings.NewReader(""), &cancelOn{text: text, cancel: cancel}, &stderr)
		if code != cmdline.Error || stderr.String() != "zworker: interrupted\n" {
			t.Errorf("at %q: exit code %d, %q", text, code, stderr.String())
		}
	}
}
