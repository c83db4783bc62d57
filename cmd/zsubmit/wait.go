package main

import (
	"context"

	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type waitOptions struct {
	base
	waiting waiting
	ids     []deferred.ID
	single  bool
}

func waitCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "wait", Usage: "wait for calls to end, and print their results", ArgsUsage: "ID...|-",
		Description: `Ends when every call has ended, in whatever way: a call that failed is told on stderr
and by the exit code, which is that of the first that did not succeed.

  zsubmit wait "$id"
  zsubmit wait "$id" --wait-for 10s || echo "exit code $?"
  zsubmit list --label batch=7 -o id | zsubmit wait - -o jsonl`,
		Flags: flags(waitForFlag(), verboseFlag(),
			formFlag("print `FORM`: table, json, jsonl or id of the records (default: the results, one a line)")),
		Action: func(c *cli.Context) error {
			o, err := readWait(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readWait(c *cli.Context, s streams) (waitOptions, error) {
	b, err := readBase(c, s, asTable, asJSON, asLines, asIDs)
	if err != nil {
		return waitOptions{}, err
	}
	w, err := readWaiting(c, s)
	if err != nil {
		return waitOptions{}, err
	}
	ids, err := readIDs(c, s)
	return waitOptions{base: b, waiting: w, ids: ids, single: len(ids) == 1 && !fromStdin(c)}, err
}

func (o *waitOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	return o.waiting.run(ctx, q, &printer{out: o.out, form: o.form, single: o.single}, o.ids...)
}
