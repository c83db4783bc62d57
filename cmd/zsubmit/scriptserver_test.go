package main

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"zasync/cmd/internal/connect"
	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
)

// claimRoom makes the streams of a script's namespace, with a small queue: by itself
// each would reserve a third of the room that the scripts before it have left.
func claimRoom(o connect.Options, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nc, err := nats.Connect(o.Server)
	if err != nil {
		return err
	}
	defer nc.Close()
	_, err = jetstream.Open(ctx, nc, jetstream.Config{Namespace: o.Namespace, QueueBytes: 16 << 20, Logger: log})
	return err
}

// kv puts a value into a bucket of the script's namespace, as "nats kv put" does:
// kv state KEY VALUE.
func kv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: kv BUCKET KEY VALUE")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nc, err := nats.Connect(ts.Getenv("NATS_URL"))
	ts.Check(err)
	defer nc.Close()
	js, err := natsjs.New(nc)
	ts.Check(err)
	bucket, err := js.KeyValue(ctx, strings.ToUpper(ts.Getenv("ZASYNC_NAMESPACE")+"_"+args[0]))
	ts.Check(err)
	_, err = bucket.PutString(ctx, args[1], args[2])
	ts.Check(err)
}

// full runs a program whose output has no room, and checks that it says so:
// full zsubmit list.
func full(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: full PROGRAM [ARGUMENTS]")
	}
	exits(ts, false, append([]string{"1", "sh", "-c", `exec "$@" > /dev/full`, "sh"}, args...))
	if stderr := ts.ReadFile("stderr"); strings.Count(stderr, "no space left") != 1 {
		ts.Fatalf("it said %q", stderr)
	}
}
