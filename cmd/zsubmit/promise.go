package main

import (
	"cmp"
	"context"
	"time"

	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type promiseOptions struct {
	callOptions
	token deferred.PromiseToken
}

func promiseCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "promise", Usage: "submit what is settled from outside", ArgsUsage: "[NAME]",
		Description: `Prints the token, with which "zsubmit resolve" or "zsubmit reject" settles it, once.
The id is what stands before the dot.

  (umask 077; zsubmit promise approval --deadline 24h --then demo/echo > FILE)
  zsubmit resolve --token-file FILE true`,
		Flags: flags(
			&cli.StringFlag{Name: "queue", Usage: "`QUEUE` to put it in", Value: deferred.DefaultQueue},
			&cli.StringFlag{Name: "id", Usage: "`ID` to give it", DefaultText: "random"},
			&cli.StringSliceFlag{Name: "label", Usage: "label it `KEY=VALUE`; may be repeated"},
			deadlineFlag(), keepFlag(),
			thenFlag("when it is resolved"), catchFlag("when it is not"),
			formFlag("print `FORM`: table or json, of id and token (default: the token)"),
		),
		Action: func(c *cli.Context) error {
			o, err := readPromise(c, s, time.Now())
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readPromise(c *cli.Context, s streams, now time.Time) (promiseOptions, error) {
	if err := wantArgs(c, 0, 1); err != nil {
		return promiseOptions{}, err
	}
	b, err := readBase(c, s, asTable, asJSON)
	if err != nil {
		return promiseOptions{}, err
	}
	o := promiseOptions{callOptions: callOptions{base: b}}
	o.call, o.token = deferred.NewPromise(deferred.ID(c.String("id")), cmp.Or(c.Args().First(), "promise"))
	o.call.Queue = c.String("queue")
	if err := o.readLimits(c, now); err != nil {
		return o, err
	}
	return o, o.call.Check()
}

func (o *promiseOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	if _, err := o.submit(ctx, q); err != nil {
		return err
	}
	switch o.form {
	case asJSON:
		return o.printJSON(struct {
			ID    deferred.ID           `json:"id"`
			Token deferred.PromiseToken `json:"token"`
		}{o.call.ID, o.token})
	case asTable:
		t := terminal.Table{Columns: []terminal.Column{{Name: "id"}, {Name: "token"}}}
		t.Add(string(o.call.ID), string(o.token))
		return t.Print(o.out)
	}
	o.print(string(o.token))
	return nil
}
