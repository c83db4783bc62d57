// Bench measures zasync beside the floor: straight-line code that does the same
// writes with nats.go, on streams of the same settings, on the same server, in
// the same run.
//
//	go run ./bench
//	go run ./bench -only drain -slots 10,100 -rounds 5
//
// What a machine does in a second says little about another one, and on a busy
// one little about the next minute. So the two take turns, and what counts is
// their ratio. The server is a process of its own; both reach it over TCP.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == serveCommand {
		os.Exit(serve(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A bench is a run: its settings, the server, and the rows measured so far.
type bench struct {
	settings
	server *server
	notes  io.Writer // progress
	places int       // opened so far
	rows   []row
}

func run(ctx context.Context, args []string, out, notes io.Writer) error {
	b := &bench{notes: notes}
	if err := b.parse(args, notes); err != nil {
		return err
	}
	var err error
	if b.server, err = startServer(ctx, b.durability, b.serverProfile); err != nil {
		return err
	}
	defer b.server.stop()
	// The server removes a directory together with the last stream in it, even
	// while another one is being made there. So one place stays.
	first, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer first.nc.Close()
	stop, err := profile(b.profile)
	if err != nil {
		return err
	}
	defer stop()
	for _, p := range parts {
		if !slices.Contains(b.only, p.name) {
			continue
		}
		if err := p.measure(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return b.report(out)
}

// parts are what can be measured, in the order of the table.
var parts = []struct {
	name    string
	measure func(*bench, context.Context) error
}{
	{"submit", (*bench).submit},
	{"drain", (*bench).drain},
	{"latency", (*bench).latency},
	{"delayed", (*bench).delayed},
}

func partNames() []string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return names
}

// profile writes a CPU profile of this process. Its samples have a label: "side"
// is "ours" or "floor".
func profile(file string) (stop func(), err error) {
	if file == "" {
		return func() {}, nil
	}
	f, err := os.Create(file) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, nil
}
