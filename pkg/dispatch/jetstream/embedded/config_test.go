package embedded_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"zasync/pkg/dispatch/jetstream/embedded"
)

func TestServerThatLetsAnybodyInIsNotExposed(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:4222", "example.com:4222"} {
		_, err := embedded.Start(t.Context(), embedded.Config{Listen: listen})
		var exposed *embedded.ExposedError
		if !errors.As(err, &exposed) || exposed.Listen != listen {
			t.Errorf("listen on %s: error is %v, want an ExposedError", listen, err)
		}
	}
}

func TestExposedServerAsksForItsCredentials(t *testing.T) {
	configs := []embedded.Config{
		{Listen: "0.0.0.0:0", Token: "s3cret"},
		{Listen: "0.0.0.0:0", User: "ann", Password: "s3cret"},
	}
	for _, c := range configs {
		srv, js := start(t, c) // connects in the process, with the credentials
		if _, err := js.AccountInfo(t.Context()); err != nil {
			t.Errorf("JetStream with credentials: %v", err)
		}
		if _, err := nats.Connect(srv.URL()); !errors.Is(err, nats.ErrAuthorization) {
			t.Errorf("connect without credentials: %v, want %v", err, nats.ErrAuthorization)
		}
	}
}

func TestConfigThatMakesNoSenseIsRefused(t *testing.T) {
	configs := map[string]embedded.Config{
		"user without password":  {User: "ann"},
		"password without user":  {Password: "s3cret"},
		"both kinds":             {Token: "t", User: "ann", Password: "s3cret"},
		"unknown durability":     {Durability: "lax"},
		"address without a port": {Listen: "127.0.0.1"},
		"named port":             {Listen: "127.0.0.1:nats"},
		"port out of range":      {Listen: "127.0.0.1:70000"},
	}
	for name, c := range configs {
		if srv, err := embedded.Start(t.Context(), c); err == nil {
			srv.Stop()
			t.Errorf("%s: the server started", name)
		} else if !strings.HasPrefix(err.Error(), "embedded: ") {
			t.Errorf("%s: error %q does not say where it comes from", name, err)
		}
	}
}

func TestStreamMayHaveMoreConsumersThanTheServersDefault(t *testing.T) {
	_, js := start(t, embedded.Config{})
	stream, err := js.CreateStream(t.Context(), natsjs.StreamConfig{Name: "CALLS", Storage: natsjs.MemoryStorage})
	if err != nil {
		t.Fatal(err)
	}
	for range 1001 {
		if _, err := stream.CreateConsumer(t.Context(), natsjs.ConsumerConfig{MemoryStorage: true}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServerLogArrivesInSlog(t *testing.T) {
	var out lines
	start(t, embedded.Config{Logger: slog.New(slog.NewJSONHandler(&out, nil))})
	want := map[string]string{"level": "INFO", "msg": "Server is ready", "component": "nats-server"}
	if !out.contains(t, want) {
		t.Errorf("log does not hold %v:\n%s", want, out.buf.String())
	}
}

func TestServerWithoutLoggerLogsWarningsOnly(t *testing.T) {
	var out lines
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(&out, nil)))
	t.Cleanup(func() { slog.SetDefault(old) })

	start(t, embedded.Config{User: "ann", Password: "s3cret"}) // a plain password is warned of
	if !out.contains(t, map[string]string{"level": "WARN", "component": "nats-server"}) {
		t.Errorf("no warning in the log:\n%s", out.buf.String())
	}
	if out.contains(t, map[string]string{"level": "INFO"}) {
		t.Errorf("notices in the log:\n%s", out.buf.String())
	}
}

// lines is a log that a test reads while the server writes it.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// contains reports whether a line has all the attributes.
func (l *lines) contains(t *testing.T, want map[string]string) bool {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range bytes.Lines(l.buf.Bytes()) {
		var event map[string]string
		if err := json.Unmarshal(line, &event); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		got := map[string]string{}
		for key := range want {
			got[key] = event[key]
		}
		if cmp.Equal(got, want) {
			return true
		}
	}
	return false
}
