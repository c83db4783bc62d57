package embedded

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// journal keeps a log for the test to look at.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func ailing(t *testing.T, c Config) (*Server, *nats.Conn, natsjs.JetStream, *journal) {
	t.Helper()
	j := &journal{}
	c.Logger = slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	nc, err := s.Connect(nats.ReconnectWait(10 * time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err == nil {
		_, err = js.CreateStream(t.Context(), natsjs.StreamConfig{Name: "CALLS", Subjects: []string{"calls.*"}})
	}
	if err == nil {
		_, err = js.Publish(t.Context(), "calls.one", []byte("kept"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, nc, js, j
}

func TestServerThatHasStoppedToWriteStartsAnewOnItsStore(t *testing.T) {
	s, nc, js, j := ailing(t, Config{Listen: "127.0.0.1:0"})
	if s.look() {
		t.Fatal("a sound server was started anew")
	}
	url := s.URL()
	if err := s.current().DisableJetStream(); err != nil { // as it does itself when the disk is full
		t.Fatal(err)
	}
	again := nc.StatusChanged(nats.CONNECTED)
	if !s.look() || s.URL() != url {
		t.Fatalf("it was not started anew at %s, but is at %s", url, s.URL())
	}
	<-again
	stream, err := js.Stream(t.Context(), "CALLS")
	if err != nil {
		t.Fatal(err)
	}
	if m, err := stream.GetMsg(t.Context(), 1); err != nil || string(m.Data) != "kept" {
		t.Errorf("what was accepted is %v (%v)", m, err)
	}
	if _, err := js.Publish(t.Context(), "calls.two", nil); err != nil {
		t.Error(err)
	}
	if !strings.Contains(j.String(), "it starts again") {
		t.Errorf("the log does not say so: %s", j)
	}
	if s.look() {
		t.Error("it was started anew once more")
	}
}

func TestServerWaitsUntilItsStoreCanBeWritten(t *testing.T) {
	s, _, _, j := ailing(t, Config{})
	if err := s.current().DisableJetStream(); err != nil {
		t.Fatal(err)
	}
	there := s.opts.StoreDir
	s.opts.StoreDir = there + "/missing"
	if s.look() {
		t.Error("it was started on a store that cannot be written")
	}
	if !strings.Contains(j.String(), "the store cannot be written") {
		t.Errorf("the log does not say so: %s", j)
	}
	s.opts.StoreDir = there
	if !s.look() || broken(s.current()) != nil {
		t.Errorf("it was not mended: %v", broken(s.current()))
	}
}
