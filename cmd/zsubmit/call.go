package main

import (
	"context"
	"time"

	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type callOptions struct {
	base
	call    deferred.Call
	wait    bool
	waiting waiting // if wait
}

func callCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "call", Usage: "submit a call", ArgsUsage: "NAME [ARGS|-]",
		Description: `ARGS is JSON; - reads it from stdin. Prints the id of the call, or with --wait its
result. With --after it is a callback: --on skipped is for the errback beside a
callback, which runs when that one did not run because of a failure before it.

  zsubmit call demo/add '[1,2,3]' --wait
  zsubmit call demo/sleep '{"for":"5s"}' --wait
  zsubmit call demo/echo '"good morning"' --at 08:00 --label team=blue
  zsubmit call demo/fail '{"times":99}' --retries 2 --catch demo/echo
  zsubmit call demo/echo --after "$id" --on failure --kind timeout --kind 'bad arguments'
  generate | zsubmit call import - --queue low --id import-2026-01-02`,
		Flags: flags(
			&cli.StringFlag{Name: "queue", Usage: "`QUEUE` to put it in", Value: deferred.DefaultQueue},
			&cli.StringFlag{Name: "id", Usage: "`ID` to give it; the same call twice is one call (default: random)"},
			&cli.DurationFlag{Name: "in", Usage: "start it no sooner than `DURATION` from now", DefaultText: "at once"},
			&cli.StringFlag{Name: "at", Usage: "start it no sooner than `TIME`"},
			&cli.StringFlag{Name: "begin-by", Usage: "let it expire unless it begins by `TIME`"},
			&cli.DurationFlag{Name: "timeout", Usage: "let an attempt fail that runs longer than `DURATION`", DefaultText: "none"},
			deadlineFlag(), keepFlag(),
			afterFlag(), onFlag(), kindFlag(),
			&cli.IntFlag{Name: "retries", Usage: "attempts after `N` failures", Value: deferred.DefaultRetries},
			&cli.StringSliceFlag{Name: "label", Usage: "label it `KEY=VALUE`; may be repeated"},
			thenFlag("when it has succeeded"), catchFlag("when it has not succeeded"),
			&cli.BoolFlag{Name: "wait", Usage: "wait for its end and print the result", DisableDefaultText: true},
			waitForFlag(), verboseFlag(),
			formFlag("print `FORM`: id, or the record as table, json or jsonl (default: id, with --wait the result)"),
		),
		Action: func(c *cli.Context) error {
			o, err := readCall(c, s, time.Now())
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readCall(c *cli.Context, s streams, now time.Time) (callOptions, error) {
	if err := wantArgs(c, 1, 2); err != nil {
		return callOptions{}, err
	}
	b, err := readBase(c, s, asIDs, asTable, asJSON, asLines)
	if err != nil {
		return callOptions{}, err
	}
	o := callOptions{base: b, wait: c.Bool("wait")}
	if o.waiting, err = readWaiting(c, s); err != nil {
		return o, err
	}
	if o.form == "" && !o.wait {
		o.form = asIDs
	}
	o.call = deferred.Call{Name: c.Args().Get(0), Queue: c.String("queue"), ID: deferred.ID(c.String("id"))}
	if err := o.readTerms(c, now); err != nil {
		return o, err
	}
	if c.NArg() == 2 {
		args, err := readJSON("arguments are", c.Args().Get(1), s.in)
		if err != nil {
			return o, err
		}
		o.call.Args = deferred.JSON(args)
	}
	return o, o.call.Check()
}

func (o *callOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	d, err := o.submit(ctx, q)
	if err != nil {
		return err
	}
	p := &printer{out: o.out, form: o.form, single: true}
	if o.form == asIDs { // at once, also when it is waited for
		o.print(string(d.ID()))
		p.form = quiet
	}
	switch {
	case o.wait:
		return o.waiting.run(ctx, q, p, d.ID())
	case p.form == quiet:
		return nil
	}
	return show(ctx, q, p, d.ID())
}

func (o *callOptions) submit(ctx context.Context, s deferred.Submitter) (*deferred.Deferred, error) {
	ctx, cancel := patiently(ctx)
	defer cancel()
	d, err := deferred.SubmitOne(ctx, s, o.call)
	if err == nil && d.Existed() {
		o.notef("%s is this same call already; nothing was added", d.ID())
	}
	return d, err
}
