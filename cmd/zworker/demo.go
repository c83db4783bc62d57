package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/democalls"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"
	"zasync/pkg/dispatch/jetstream/embedded"
	"zasync/pkg/workerpool"

	"github.com/urfave/cli/v2"
)

type demoOptions struct {
	streams
	dir string
	log *slog.Logger
}

func demoCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "demo", Usage: "see it work, on real files, in a few seconds", ArgsUsage: "[DIR]",
		Description: `Counts the files of DIR (default: the current directory), a call for each. Meanwhile a
call fails and is tried again, and another fails for good and is recovered by its
errback. Server, queue and worker are in this process and gone afterwards.

  zworker demo
  zworker demo ~/Downloads`,
		Flags: logFlags("error"),
		Action: func(c *cli.Context) error {
			o, err := readDemo(c, s)
			if err != nil {
				return err
			}
			return unlessInterrupted(c.Context, o.run(c.Context))
		},
	}
}

// unlessInterrupted takes one word for all that fails when the signal to stop
// comes.
func unlessInterrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

func readDemo(c *cli.Context, s streams) (demoOptions, error) {
	if c.NArg() > 1 {
		return demoOptions{}, cmdline.Usagef("demo takes one directory, and not %d", c.NArg())
	}
	log, err := readLogger(c, s.err)
	return demoOptions{streams: s, dir: cmp.Or(c.Args().First(), "."), log: log}, err
}

func (o *demoOptions) run(ctx context.Context) error {
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	defer func() { _ = root.Close() }()
	found, err := findFiles(root.FS())
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	srv, err := embedded.Start(ctx, embedded.Config{Logger: serverLog(o.log)})
	if err != nil {
		return err
	}
	defer srv.Stop()
	nc, err := srv.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	q, err := jetstream.Open(ctx, nc, jetstream.Config{Logger: o.log})
	if err != nil {
		return err
	}
	defer q.Close()
	pool := demoPool(q, &scanner{root: root, closely: found.names[found.largest]}, o.log)
	o.introduce(found, pool.Slots)
	return performing(ctx, pool, func(ctx context.Context) error { return o.perform(ctx, q, found) })
}

func demoPool(q *dispatch.Queue, s *scanner, log *slog.Logger) *workerpool.Pool {
	var mux workerpool.Mux
	workerpool.Register(&mux, scan, s.scan)
	workerpool.Register(&mux, sum, sumUp)
	workerpool.Register(&mux, report, reportOn)
	workerpool.Register(&mux, apology, apologize)
	democalls.Register(&mux)
	return &workerpool.Pool{Source: q, Mux: &mux, Name: "demo", Slots: 2 * runtime.NumCPU(), Logger: log, Grace: -1}
}

// performing does something while a pool runs, and stops the pool.
func performing(ctx context.Context, pool *workerpool.Pool, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := pool.Run(ctx)
		cancel(err) // before do is done there is nobody to perform what it waits for
		ended <- err
	}()
	err := do(ctx)
	cancel(nil)
	if broken := <-ended; broken != nil {
		return broken // what came of it for do says no more
	}
	return err
}

func (o *demoOptions) introduce(found *files, slots int) {
	o.printf("In this process: a NATS server with JetStream, a queue, and a worker of %d slots.\n", slots)
	o.printf("A call for each of %s here, %s in all.\n\n", found, size(found.bytes))
}

// perform submits everything at once and tells what becomes of it.
func (o *demoOptions) perform(ctx context.Context, q *dispatch.Queue, found *files) error {
	s := newStory(o.out, q)
	defer s.end()
	if err := errors.Join(s.retry(ctx), s.recover(ctx)); err != nil {
		return err
	}
	total, err := s.count(ctx, found)
	if err = errors.Join(err, s.whole(), context.Cause(ctx)); err != nil { // an interrupt counts also when all calls are done
		return err
	}
	s.end()
	return o.conclude(total)
}
