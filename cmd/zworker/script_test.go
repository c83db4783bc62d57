package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"zasync/pkg/dispatch/jetstream/embedded"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"zworker": main}) }

// TestScripts runs testdata/script. Each script has a namespace of its own on
// one server, at NATS_URL, a free address for another one, and the program
// zsubmit, which is built for it.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	//nolint:gosec // it is our own program
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "zasync/cmd/zsubmit").CombinedOutput(); err != nil {
		t.Fatalf("build zsubmit: %v\n%s", err, out)
	}
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("NATS_URL", srv.URL())
			env.Setenv("ZASYNC_NAMESPACE", filepath.Base(env.WorkDir))
			addr, err := freeAddr()
			env.Setenv("ADDR", addr)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "listening": listening, "deletes": deletes, "appears": appears},
	})
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// listening waits until somebody listens on an address.
func listening(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		c, err := new(net.Dialer).DialContext(ctx, "tcp", args[0])
		if err == nil {
			ts.Check(c.Close())
			return
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			ts.Fatalf("nobody listens: %v", err)
		}
	}
}

// deletes deletes a stream, as an operator may do by mistake.
func deletes(ts *testscript.TestScript, _ bool, args []string) {
	js, name, end := stream(ts, args)
	defer end()
	ts.Check(js.DeleteStream(context.Background(), name))
}

// appears waits until a stream is there.
func appears(ts *testscript.TestScript, _ bool, args []string) {
	js, name, end := stream(ts, args)
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		_, err := js.Stream(ctx, name)
		if err == nil {
			return
		}
		if !errors.Is(err, natsjs.ErrStreamNotFound) {
			ts.Check(err)
		}
	}
}

// stream gives the name of one in the namespace of the script.
func stream(ts *testscript.TestScript, args []string) (js natsjs.JetStream, name string, end func()) {
	nc, err := nats.Connect(ts.Getenv("NATS_URL"))
	ts.Check(err)
	js, err = natsjs.New(nc)
	ts.Check(err)
	return js, strings.Replace(args[0], "ZASYNC", strings.ToUpper(ts.Getenv("ZASYNC_NAMESPACE")), 1), nc.Close
}

// exits runs a program and checks its exit code: exits 2 zworker run extra.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENTS]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		_, _ = fmt.Fprint(os.Stderr, ts.ReadFile("stderr"))
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}
