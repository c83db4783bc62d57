package jetstream_test

import (
	"errors"
	"strings"
	"testing"

	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// limited is an account of one test with limits of its own.
func limited(t *testing.T, l server.JetStreamAccountLimits) (*nats.Conn, natsjs.JetStream) {
	t.Helper()
	account := server.NewAccount("LIMITED")
	o := &server.Options{
		DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		Accounts: []*server.Account{account}, Users: []*server.User{{Username: "joe", Password: "hush", Account: account}},
	}
	s := runServer(o)
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	there, err := s.LookupAccount("LIMITED")
	if err == nil {
		err = there.EnableJetStream(map[string]server.JetStreamAccountLimits{"": l}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.UserInfo("joe", "hush"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

func unlimited() server.JetStreamAccountLimits {
	return server.JetStreamAccountLimits{MaxMemory: -1, MaxStore: -1, MaxStreams: -1, MaxConsumers: -1}
}

func TestBoundsFitIntoTheRoomThatThereIs(t *testing.T) {
	account := unlimited()
	account.MaxStore = 64 << 20
	for what, start := range map[string]func(*testing.T) (*nats.Conn, natsjs.JetStream){
		"of the server":  func(t *testing.T) (*nats.Conn, natsjs.JetStream) { return small(t, 64) },
		"of the account": func(t *testing.T) (*nats.Conn, natsjs.JetStream) { return limited(t, account) },
	} {
		t.Run(what, func(t *testing.T) {
			nc, js := start(t)
			openQueue(t, nc, jetstream.Config{})
			queue, aside := bound(t, js, "ZASYNC_QUEUE"), bound(t, js, "ZASYNC_ASIDE")
			if queue < 10<<20 || aside < 1<<20 || queue+aside > 32<<20 {
				t.Errorf("of 64 MiB the queue may have %d bytes and what is set aside %d: more than half goes to neither", queue, aside)
			}
			openQueue(t, nc, jetstream.Config{}) // what is there will do
			openQueue(t, nc, jetstream.Config{Namespace: "second"})
		})
	}
}

func bound(t *testing.T, js natsjs.JetStream, name string) int64 {
	t.Helper()
	stream, err := js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return stream.CachedInfo().Config.MaxBytes
}

func TestBoundsAreThoseOfTheConfig(t *testing.T) {
	nc, js := small(t, 64)
	openQueue(t, nc, jetstream.Config{QueueBytes: 8 << 20, AsideBytes: 2 << 20})
	if queue, aside := bound(t, js, "ZASYNC_QUEUE"), bound(t, js, "ZASYNC_ASIDE"); queue != 8<<20 || aside != 2<<20 {
		t.Errorf("the bounds are %d and %d", queue, aside)
	}
}

// Whoever makes the queue may die before it has let go of the room of all.
func TestQueueWhoseMakerDiedIsBoundedByTheNext(t *testing.T) {
	nc, js := small(t, 64)
	openQueue(t, nc, jetstream.Config{})
	stream, err := js.Stream(t.Context(), "ZASYNC_QUEUE")
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.MaxBytes *= 2
	want := c.MaxBytes / 3
	c.Metadata["zasync_max_bytes"] = "is the whole room yet"
	if _, err := js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	for range 2 { // once, and not again
		openQueue(t, nc, jetstream.Config{})
		if have := bound(t, js, "ZASYNC_QUEUE"); have != want {
			t.Fatalf("the queue may have %d bytes, want %d", have, want)
		}
	}
}

func TestAccountThatIsTooSmallIsToldSoBeforeAnythingIsMade(t *testing.T) {
	streams, bytes, required := unlimited(), unlimited(), unlimited()
	streams.MaxStreams, bytes.MaxStore, required.MaxBytesRequired = 5, 4<<20, true
	for limit, c := range map[string]struct {
		limits server.JetStreamAccountLimits
		says   []string
	}{
		"max_streams":        {streams, []string{"5", "8 more"}},
		"max_file":           {bytes, []string{"4 MiB", "16 MiB"}},
		"max_bytes_required": {required, []string{"off"}},
	} {
		t.Run(limit, func(t *testing.T) {
			nc, js := limited(t, c.limits)
			_, err := jetstream.Open(patiently(t), nc, jetstream.Config{Logger: quiet})
			var refusal *jetstream.AccountError
			if !errors.As(err, &refusal) || refusal.Limit != limit {
				t.Fatalf("got %v, want a refusal for %s", err, limit)
			}
			for _, part := range append(c.says, limit) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			for name := range js.StreamNames(t.Context()).Name() {
				t.Errorf("stream %s was made", name)
			}
		})
	}
}

func TestServerWithNoRoomSaysHowMuchIsNeeded(t *testing.T) {
	nc, _ := small(t, 8)
	_, err := jetstream.Open(patiently(t), nc, jetstream.Config{Logger: quiet})
	if err == nil || !strings.Contains(err.Error(), "no room for 16 MiB: raise its max_file_store") {
		t.Errorf("got %v", err)
	}
}
