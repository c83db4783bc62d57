package main

import (
	"cmp"
	"context"
	"errors"

	"zasync/cmd/internal/connect"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type cancelOptions struct {
	base
	ids    []deferred.ID
	single bool
	reason string
}

func cancelCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "cancel", Usage: "cancel calls", ArgsUsage: "ID...|-",
		Description: `When it has returned, the calls are cancelled and no attempt starts any more; one that
runs is told to stop. That a call has ended already is an error.

  zsubmit cancel "$id" --reason "no longer needed"
  zsubmit list --label batch=7 --state pending -o id | zsubmit cancel -`,
		Flags: flags(
			&cli.StringFlag{Name: "reason", Usage: "say why, in `TEXT`"},
			formFlag("print `FORM` of what is cancelled: table, json, jsonl or id (default: id)"),
		),
		Action: func(c *cli.Context) error {
			o, err := readCancel(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readCancel(c *cli.Context, s streams) (cancelOptions, error) {
	b, err := readBase(c, s, asTable, asJSON, asLines, asIDs)
	if err != nil {
		return cancelOptions{}, err
	}
	b.form = cmp.Or(b.form, asIDs)
	ids, err := readIDs(c, s)
	return cancelOptions{base: b, ids: ids, single: len(ids) == 1 && !fromStdin(c), reason: c.String("reason")}, err
}

func (o *cancelOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	p := &printer{out: o.out, form: o.form, single: o.single}
	err = o.each(o.ids, func(id deferred.ID) error { return o.cancel(ctx, q, p, id) })
	return errors.Join(err, p.close())
}

func (o *cancelOptions) cancel(ctx context.Context, q *connect.Session, p *printer, id deferred.ID) error {
	limited, cancel := patiently(ctx)
	defer cancel()
	if err := q.Open(id).Cancel(limited, o.reason); err != nil {
		return err
	}
	return show(ctx, q, p, id)
}
