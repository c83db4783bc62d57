package main

import (
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"zasync/cmd/internal/connect"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/jetstream/embedded"
)

// says closes a channel when a text is written.
type says struct {
	text string
	once sync.Once
	said chan struct{}

	mu      sync.Mutex
	written strings.Builder
}

func (s *says) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.written.Write(p)
	if strings.Contains(s.written.String(), s.text) {
		s.once.Do(func() { close(s.said) })
	}
	return n, err
}

func (s *says) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written.String()
}

func TestWaitGoesOnWhenTheServerIsBackAndSaysSo(t *testing.T) {
	c := embedded.Config{Listen: "127.0.0.1:0", Store: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
	srv, err := embedded.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	url := srv.URL()
	c.Listen = strings.TrimPrefix(url, "nats://")
	q, err := connect.Options{Server: url}.Open(t.Context(), "test", c.Logger)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	call, token := deferred.NewPromise("p", "promise")
	if _, err := q.Submit(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	if err := q.Open("p").Annotate(t.Context(), "greeting", "hello"); err != nil {
		t.Fatal(err)
	}
	stderr := &says{text: "no connection to " + url, said: make(chan struct{})}
	shown := &says{text: "greeting", said: make(chan struct{})}
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), []string{"wait", "p", "--server", url, "-v"}, strings.NewReader(""), io.Discard, io.MultiWriter(shown, stderr))
	}()
	<-shown.said // it waits
	srv.Stop()
	<-stderr.said
	if srv, err = embedded.Start(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	defer srv.Stop()
	if err := deferred.ResolvePromise(t.Context(), q, token, 1); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != 0 || !strings.Contains(stderr.all(), "connected to "+url+" again") {
		t.Errorf("exit code %d, %s", code, stderr.all())
	}
}
