package jetstream_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
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

// A maker may die between the making of its probe and its deletion.
func TestProbeOfAMakerThatDiedIsDeletedByTheNext(t *testing.T) {
	t.Parallel()
	nc, js := small(t, 64)
	_, err := js.CreateStream(t.Context(), natsjs.StreamConfig{Name: "ZASYNC_ROOM", Subjects: []string{"zasync.room"}, MaxBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	openQueue(t, nc, jetstream.Config{})
	if b := bound(t, js, "ZASYNC_QUEUE"); b < 10<<20 {
		t.Errorf("the queue may have %d bytes", b)
	}
	if _, err := js.Stream(t.Context(), "ZASYNC_ROOM"); !errors.Is(err, natsjs.ErrStreamNotFound) {
		t.Errorf("the probe is still there: %v", err)
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

func TestNamespacesMadeAtTheSameTimeLeaveRoomForOneAnother(t *testing.T) {
	nc, js := small(t, 32<<10)
	const many = 16
	var making sync.WaitGroup
	for i := range many {
		making.Go(func() {
			_, err := jetstream.Open(patiently(t), nc, jetstream.Config{Namespace: fmt.Sprintf("n%d", i), Logger: quiet})
			if err != nil {
				t.Error(err)
			}
		})
	}
	making.Wait()
	for i := range many {
		if b := bound(t, js, fmt.Sprintf("N%d_QUEUE", i)); b < 1<<20 {
			t.Errorf("queue %d is bounded to %d bytes", i, b)
		}
	}
}

func TestServerWithNoRoomSaysHowMuchIsNeeded(t *testing.T) {
	t.Parallel()
	nc, _ := small(t, 8)
	_, err := jetstream.Open(patiently(t), nc, jetstream.Config{Logger: quiet})
	if err == nil || !strings.Contains(err.Error(), "no room for 16 MiB: raise its max_file_store") {
		t.Errorf("got %v", err)
	}
}
