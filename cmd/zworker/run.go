package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/connect"
	"zasync/cmd/internal/democalls"
	"zasync/pkg/workerpool"

	"github.com/urfave/cli/v2"
)

type runOptions struct {
	streams
	connect connect.Options
	queues  []string
	slots   int
	name    string
	log     *slog.Logger
}

func runCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "run", Usage: "perform the calls of an existing NATS server", ArgsUsage: " ",
		Description: "Waits for its server. Stops at SIGINT or SIGTERM: running calls may finish within " + workerpool.DefaultGrace.String() +
			" and are\ngiven back after that. A second signal ends it at once.\n\n" +
			"  zworker run --server nats://queue.example.org --creds worker.creds\n" +
			"  zworker run --queues default,low --slots 50\n\n" +
			"It performs:\n\n" + democalls.Help,
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "queues", Usage: "serve `QUEUES`, separated by commas, all alike", Value: "default"},
			slotsFlag(),
			&cli.StringFlag{Name: "name", Usage: "`NAME` of this worker, for people", DefaultText: "the host's"},
			connect.RemakeFlag(),
		}, logFlags("info")...), connect.Flags()...),
		Action: func(c *cli.Context) error {
			o, err := readRun(c, s)
			if err != nil {
				return err
			}
			return unlessStopped(c.Context, o.run(c.Context))
		},
	}
}

func slotsFlag() cli.Flag {
	return &cli.IntFlag{Name: "slots", Usage: "perform up to `N` calls at once", Value: workerpool.DefaultSlots}
}

func readSlots(c *cli.Context) (int, error) {
	if n := c.Int("slots"); n > 0 {
		return n, nil
	}
	return 0, cmdline.Usagef("--slots %d is below 1", c.Int("slots"))
}

// noArguments refuses what would otherwise be ignored.
func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return cmdline.Usagef("%s takes no argument such as %q", c.Command.Name, c.Args().First())
	}
	return nil
}

func readRun(c *cli.Context, s streams) (o runOptions, err error) {
	o = runOptions{streams: s, name: c.String("name")}
	if err := noArguments(c); err != nil {
		return o, err
	}
	if o.connect, err = connect.FromFlags(c); err != nil {
		return o, err
	}
	o.connect.Remake = c.Bool("remake")
	if o.queues, err = readQueues(c.String("queues")); err != nil {
		return o, err
	}
	if o.slots, err = readSlots(c); err != nil {
		return o, err
	}
	o.log, err = readLogger(c, s.err)
	return o, err
}

func (o *runOptions) run(ctx context.Context) error {
	q, err := o.connect.OpenPatiently(ctx, strings.TrimSpace("zworker "+o.name), o.log, listener{o.log, o.connect.Place()})
	if err != nil {
		return err
	}
	defer q.Close()
	var mux workerpool.Mux
	democalls.Register(&mux)
	pool := workerpool.Pool{Source: q, Mux: &mux, Name: o.name, Slots: o.slots, Queues: o.queues, Logger: o.log}
	o.log.Info("serving", "server", o.connect.Place(), "queue", strings.Join(o.queues, ","), "slots", o.slots)
	if err := pool.Run(ctx); err != nil {
		return fmt.Errorf("worker: %w", err)
	}
	return nil
}

// unlessStopped is nil for an error that comes of the signal to stop: what was
// under way when the worker had hardly started fails by it.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return nil
	}
	return err
}

// listener logs what becomes of the connection.
type listener struct {
	log   *slog.Logger
	place string
}

func (l listener) Away(since time.Duration, err error) {
	l.log.Warn("no connection to the server; trying again", "server", l.place, "took", since.Round(time.Second), "err", cmdline.Message(err))
}

func (l listener) Back(after time.Duration) {
	l.log.Info("connected to the server", "server", l.place, "took", after.Round(time.Millisecond))
}
