package embedded_test

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"zasync/pkg/dispatch/jetstream/embedded"
)

// open starts a server on dir and makes a stream there.
func open(dir string) (*nats.Conn, natsjs.JetStream, error) {
	srv, err := embedded.Start(context.Background(), embedded.Config{Store: dir})
	if err != nil {
		return nil, nil, err
	}
	nc, err := srv.Connect()
	if err != nil {
		return nil, nil, err
	}
	js, err := natsjs.New(nc)
	if err != nil {
		return nil, nil, err
	}
	_, err = js.CreateStream(context.Background(), natsjs.StreamConfig{Name: "CALLS", Subjects: []string{"calls.*"}})
	return nc, js, err
}

// start runs a server for the test.
func start(t *testing.T, c embedded.Config) (*embedded.Server, natsjs.JetStream) {
	t.Helper()
	srv, err := embedded.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	nc, err := srv.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := natsjs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return srv, js
}

func TestRestartOnTheSameDirectoryKeepsMessages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when", "missing")
	srv, js := start(t, embedded.Config{Store: dir})
	if _, err := js.CreateStream(t.Context(), natsjs.StreamConfig{Name: "CALLS", Subjects: []string{"calls.*"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := js.Publish(t.Context(), "calls.one", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	srv.Stop()

	_, js = start(t, embedded.Config{Store: dir})
	stream, err := js.Stream(t.Context(), "CALLS")
	if err != nil {
		t.Fatal(err)
	}
	msg, err := stream.GetMsg(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if string(msg.Data) != "kept" {
		t.Errorf("message after the restart is %q", msg.Data)
	}
}

func TestSecondServerOnADirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	srv, _ := start(t, embedded.Config{Store: dir})

	_, err := embedded.Start(t.Context(), embedded.Config{Store: dir})
	var locked *embedded.LockedError
	if !errors.As(err, &locked) || *locked != (embedded.LockedError{Dir: dir, PID: os.Getpid()}) {
		t.Fatalf("second start: %v", err)
	}
	if !strings.Contains(err.Error(), "another server of this process") {
		t.Errorf("error does not say who: %v", err)
	}

	srv.Stop()
	start(t, embedded.Config{Store: dir})
}

func TestServerWithoutListenIsReachedInProcessOnly(t *testing.T) {
	srv, _ := start(t, embedded.Config{})
	if url := srv.URL(); url != "" {
		t.Errorf("URL is %q, want none", url)
	}
}

func TestListeningServerIsReachedOverTCP(t *testing.T) {
	srv, _ := start(t, embedded.Config{Listen: "127.0.0.1:0"})
	nc, err := nats.Connect(srv.URL())
	if err != nil {
		t.Fatalf("connect to %s: %v", srv.URL(), err)
	}
	nc.Close()
}

func TestStopRemovesTheTemporaryStoreAndLeavesNoGoroutine(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	before := goleak.IgnoreCurrent()
	for _, listen := range []string{"", "127.0.0.1:0"} {
		srv, err := embedded.Start(t.Context(), embedded.Config{Listen: listen})
		if err != nil {
			t.Fatal(err)
		}
		if entries := readDir(t, os.TempDir()); len(entries) != 1 {
			t.Errorf("temporary directory holds %v, want one store", entries)
		}
		nc, err := srv.Connect()
		if err != nil {
			t.Fatal(err)
		}
		nc.Close()
		srv.Stop()
		srv.Stop()
		if entries := readDir(t, os.TempDir()); len(entries) != 0 {
			t.Errorf("after Stop the temporary directory holds %v", entries)
		}
		goleak.VerifyNone(t, before)
	}
}

func TestPortAndStoreAreFreeWhenStopReturns(t *testing.T) {
	c := embedded.Config{Store: t.TempDir(), Listen: "127.0.0.1:0"}
	srv, _ := start(t, c)
	c.Listen = strings.TrimPrefix(srv.URL(), "nats://")
	for range 5 {
		srv.Stop()
		srv, _ = start(t, c)
	}
}

func TestFailedStartHoldsNothing(t *testing.T) {
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, "jetstream")
	if err := os.WriteFile(inTheWay, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	before := goleak.IgnoreCurrent()
	if _, err := embedded.Start(t.Context(), embedded.Config{Store: dir}); err == nil {
		t.Fatal("start on a store that is no directory succeeded")
	}
	goleak.VerifyNone(t, before)
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	start(t, embedded.Config{Store: dir})
}

func TestStartUnderAnEndedContextFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := embedded.Start(ctx, embedded.Config{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
}

func TestTakenPortIsReportedWithItsHolder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := l.Addr().String()

	_, err = embedded.Start(t.Context(), embedded.Config{Listen: addr})
	var taken *embedded.PortTakenError
	if !errors.As(err, &taken) || taken.Addr != addr {
		t.Fatalf("error is %v, want a PortTakenError of %s", err, addr)
	}
	if _, err := os.Stat("/proc/self/net/tcp"); err != nil {
		return // this system does not tell
	}
	if taken.PID != os.Getpid() || taken.Program == "" {
		t.Errorf("holder is %q, process %d; want this process, %d", taken.Program, taken.PID, os.Getpid())
	}
}

func TestMemoryLimitLastsAsLongAsTheServer(t *testing.T) {
	withoutMemoryLimit(t)
	srv, _ := start(t, embedded.Config{})
	if got := debug.SetMemoryLimit(-1); got != embedded.DefaultMemoryLimit {
		t.Errorf("limit while the server runs is %d, want %d", got, embedded.DefaultMemoryLimit)
	}
	srv.Stop()
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("limit after Stop is %d, want none", got)
	}
}

func TestMemoryLimitOfTheProcessWins(t *testing.T) {
	withoutMemoryLimit(t)
	const own = 5 << 30
	debug.SetMemoryLimit(own)
	srv, _ := start(t, embedded.Config{MemoryLimit: 1 << 28})
	if got := debug.SetMemoryLimit(-1); got != own {
		t.Errorf("limit is %d, want that of the process, %d", got, int64(own))
	}
	srv.Stop()
	if got := debug.SetMemoryLimit(-1); got != own {
		t.Errorf("limit after Stop is %d, want that of the process, %d", got, int64(own))
	}
}

// withoutMemoryLimit takes away what the tests were started with.
func withoutMemoryLimit(t *testing.T) {
	t.Helper()
	t.Setenv("GOMEMLIMIT", "") // for its cleanup
	if err := os.Unsetenv("GOMEMLIMIT"); err != nil {
		t.Fatal(err)
	}
	old := debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() { debug.SetMemoryLimit(old) })
}

func readDir(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}
