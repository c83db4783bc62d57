package proc

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
)

// Output is what a process has printed so far.
type Output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{} // closed at the next Write; nil when nobody waits
}

// Write takes what the process prints.
func (o *Output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.grown != nil {
		close(o.grown)
		o.grown = nil
	}
	return o.text.Write(data)
}

func (o *Output) String() string {
	text, _ := o.now()
	return text
}

// now is the text, and a channel that is closed when there is more of it.
func (o *Output) now() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.grown == nil {
		o.grown = make(chan struct{})
	}
	return o.text.String(), o.grown
}

// Await waits until a text has been printed.
func (o *Output) Await(ctx context.Context, t testing.TB, text string) {
	t.Helper()
	for {
		printed, grown := o.now()
		if strings.Contains(printed, text) {
			return
		}
		select {
		case <-grown:
		case <-ctx.Done():
			t.Fatalf("it was never printed: %s", text)
		}
	}
}
