package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/connect"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type statusOptions struct {
	base
	ids    []deferred.ID
	single bool
	trace  deferred.Detail // "" if it was not asked for
}

func statusCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show where calls stand", ArgsUsage: "ID...|-",
		Description: `With -o json it is the record as it is stored. With --trace there are the details of
each, however many, and of a failure its kind and message (brief), also what it was
caused by (default), or the stack as well (verbose).

  zsubmit status "$id"
  zsubmit status "$id" -o json | jq .failure
  zsubmit list --state failed -o id | zsubmit status - --trace verbose`,
		Flags: flags(
			&cli.StringFlag{Name: "trace", Usage: "tell failures by `DETAIL` brief, default or verbose", Value: string(deferred.DetailDefault)},
			formFlag("print `FORM`: table, json, jsonl or id (default: table)"),
		),
		Action: func(c *cli.Context) error {
			o, err := readStatus(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readStatus(c *cli.Context, s streams) (statusOptions, error) {
	b, err := readBase(c, s, asTable, asJSON, asLines, asIDs)
	if err != nil {
		return statusOptions{}, err
	}
	b.form = cmp.Or(b.form, asTable)
	trace, err := readTrace(c, b.form)
	if err != nil {
		return statusOptions{}, err
	}
	ids, err := readIDs(c, s)
	return statusOptions{base: b, ids: ids, single: len(ids) == 1 && !fromStdin(c), trace: trace}, err
}

func readTrace(c *cli.Context, f form) (deferred.Detail, error) {
	if !c.IsSet("trace") {
		return "", nil
	}
	d := deferred.Detail(c.String("trace"))
	details := []deferred.Detail{deferred.DetailBrief, deferred.DetailDefault, deferred.DetailVerbose}
	switch {
	case !slices.Contains(details, d):
		return "", cmdline.Usagef("--trace cannot be %q but one of %s", string(d), listed(details))
	case f != asTable:
		return "", cmdline.Usagef("--trace is for -o table; json and jsonl have all of a failure")
	}
	return d, nil
}

func (o *statusOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	p := &printer{out: o.out, form: o.form, single: o.single, trace: o.trace}
	err = o.each(o.ids, func(id deferred.ID) error { return show(ctx, q, p, id) })
	return errors.Join(err, p.close())
}

// show prints the record of an id as it is now.
func show(ctx context.Context, q *connect.Session, p *printer, id deferred.ID) error {
	ctx, cancel := patiently(ctx)
	defer cancel()
	r, err := q.Record(ctx, id)
	if err != nil {
		return err
	}
	return p.print(&r)
}
