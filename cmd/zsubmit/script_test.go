package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"zasync/cmd/internal/connect"
	"zasync/cmd/internal/democalls"
	"zasync/pkg/dispatch/jetstream/embedded"
	"zasync/pkg/workerpool"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"zsubmit": main}) }

// TestScripts runs testdata/script. Each script has a namespace of its own on
// one server, and there a worker of the demo calls in the queue "default".
// Nobody serves other queues.
func TestScripts(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	srv, err := embedded.Start(t.Context(), embedded.Config{Listen: "127.0.0.1:0", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Stop)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			o := connect.Options{Server: srv.URL(), Namespace: filepath.Base(env.WorkDir)}
			env.Setenv("NATS_URL", o.Server)
			env.Setenv("ZASYNC_NAMESPACE", o.Namespace)
			if err := claimRoom(o, log); err != nil {
				return err
			}
			return work(env, o, log)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "kv": kv, "full": full},
	})
}

// work runs a worker until the script ends.
func work(env *testscript.Env, o connect.Options, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(context.Background())
	q, err := o.Open(ctx, "worker of "+o.Namespace, log)
	if err != nil {
		cancel()
		return err
	}
	var mux workerpool.Mux
	democalls.Register(&mux)
	pool := workerpool.Pool{Source: q, Mux: &mux, Name: "script", Logger: log, Grace: -1}
	var running sync.WaitGroup
	running.Go(func() { err = pool.Run(ctx) })
	env.Defer(func() {
		cancel()
		running.Wait()
		q.Close()
		if err != nil {
			env.T().Log("the worker: ", err)
			env.T().FailNow()
		}
	})
	return nil
}

// exits runs a program and checks its exit code: exits 3 zsubmit wait ID.
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
