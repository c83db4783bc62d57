package main

import (
	"cmp"
	"context"
	"errors"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

func unhandledCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "unhandled", Usage: "list failures that nobody has seen", ArgsUsage: "[--handle ID...|-]",
		Description: `Calls that failed or expired, with no errback, and that nobody waited for or watched. With
--handle it takes those that are named off the list.

  zsubmit unhandled
  zsubmit unhandled -o id | zsubmit unhandled --handle -`,
		Flags: flags(
			&cli.BoolFlag{Name: "handle", Usage: "take the calls off the list", DisableDefaultText: true},
			formFlag("print `FORM`: table, json, jsonl or id (default: table, with --handle id)"),
		),
		Action: func(c *cli.Context) error {
			if c.Bool("handle") {
				return runHold(c, s, func(ctx context.Context, d *deferred.Deferred) error { return d.Handle(ctx) })
			}
			if c.Args().Present() {
				return cmdline.Usagef("unhandled takes IDs only with --handle")
			}
			b, err := readBase(c, s, asTable, asJSON, asLines, asIDs)
			if err != nil {
				return err
			}
			b.form = cmp.Or(b.form, asTable)
			return listUnhandled(c.Context, b)
		},
	}
}

func listUnhandled(ctx context.Context, b base) error {
	q, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	p, odd := &printer{out: b.out, form: b.form}, unreadable{streams: b.streams}
	for r, err := range q.Unhandled(ctx) {
		if err != nil {
			err = odd.named(err)
		} else {
			err = p.print(&r)
		}
		if err != nil {
			return errors.Join(err, p.close())
		}
	}
	return errors.Join(odd.err(), p.close())
}
