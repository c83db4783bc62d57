package main

import (
	"context"
	"fmt"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type resultOptions struct {
	base
	id deferred.ID
}

func resultCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "result", Usage: "print the result of a call that has ended", ArgsUsage: "ID",
		Description: `Does not wait: of a call that has not ended it says where it stands, with exit code 6.

  zsubmit result "$id"
  zsubmit result "$id" -o json | jq .failure.kind`,
		Flags: flags(formFlag("print `FORM`: table, json or jsonl of the record (default: the result)")),
		Action: func(c *cli.Context) error {
			o, err := readResult(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readResult(c *cli.Context, s streams) (resultOptions, error) {
	if err := wantArgs(c, 1, 1); err != nil {
		return resultOptions{}, err
	}
	b, err := readBase(c, s, asTable, asJSON, asLines)
	return resultOptions{base: b, id: deferred.ID(c.Args().First())}, err
}

func (o *resultOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	ctx, cancel := patiently(ctx)
	defer cancel()
	r, err := q.Record(ctx, o.id)
	if err != nil {
		return err
	}
	if !r.State.Settled() {
		return &cmdline.ExitError{Code: cmdline.GaveUp,
			Err: fmt.Errorf("%s has not ended, it is %s; \"zsubmit wait %s\" waits for it", o.id, r.State, o.id)}
	}
	if r, err = whole(ctx, q, r); err != nil {
		return err
	}
	return waiting{streams: o.streams}.conclude(&printer{out: o.out, form: o.form, single: true}, &r)
}
