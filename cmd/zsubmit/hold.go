package main

import (
	"cmp"
	"context"
	"errors"

	"zasync/cmd/internal/connect"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

// holdOptions are those of hold and of release.
type holdOptions struct {
	base
	ids    []deferred.ID
	single bool
	do     func(context.Context, *deferred.Deferred) error
}

func holdCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "hold", Usage: "keep calls back that have not started", ArgsUsage: "ID...|-",
		Description: `A call that is held stays where it is until it is released. That it has started
already is an error. Of several holds the last one's reason counts.

  zsubmit hold "$id" --reason "until the disk is replaced"
  zsubmit list --label batch=7 --state pending -o id | zsubmit hold -`,
		Flags: flags(
			&cli.StringFlag{Name: "reason", Usage: "say why, in `TEXT` that status and list show"},
			formFlag("print `FORM` of what is held: table, json, jsonl or id (default: id)"),
		),
		Action: func(c *cli.Context) error {
			return runHold(c, s, func(ctx context.Context, d *deferred.Deferred) error { return d.Hold(ctx, c.String("reason")) })
		},
	}
}

func releaseCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "release", Usage: "let held calls go on", ArgsUsage: "ID...|-",
		Description: `One that is not held is left as it is.

  zsubmit release "$id"
  zsubmit list --state held -o id | zsubmit release -`,
		Flags: flags(formFlag("print `FORM` of what is released: table, json, jsonl or id (default: id)")),
		Action: func(c *cli.Context) error {
			return runHold(c, s, func(ctx context.Context, d *deferred.Deferred) error { return d.Release(ctx) })
		},
	}
}

func runHold(c *cli.Context, s streams, do func(context.Context, *deferred.Deferred) error) error {
	o, err := readHold(c, s)
	if err != nil {
		return err
	}
	o.do = do
	return o.run(c.Context)
}

func readHold(c *cli.Context, s streams) (holdOptions, error) {
	b, err := readBase(c, s, asTable, asJSON, asLines, asIDs)
	if err != nil {
		return holdOptions{}, err
	}
	b.form = cmp.Or(b.form, asIDs)
	ids, err := readIDs(c, s)
	return holdOptions{base: b, ids: ids, single: len(ids) == 1 && !fromStdin(c)}, err
}

func (o *holdOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	p := &printer{out: o.out, form: o.form, single: o.single}
	err = o.each(o.ids, func(id deferred.ID) error { return o.change(ctx, q, p, id) })
	return errors.Join(err, p.close())
}

func (o *holdOptions) change(ctx context.Context, q *connect.Session, p *printer, id deferred.ID) error {
	limited, cancel := patiently(ctx)
	defer cancel()
	if err := o.do(limited, q.Open(id)); err != nil {
		return err
	}
	return show(ctx, q, p, id)
}
