package main

import (
	"context"
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type joinOptions struct {
	callOptions
	to deferred.ID // the join that is to take more members, if any
}

func joinCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "join", Usage: "wait for several deferreds by one that joins them", ArgsUsage: "MODE ID...|-",
		Description: `MODE is all (their results in a list; fails when one does), all-settled (how each
ended), any (the first that succeeds) or race (the first that ends). Prints the
id of the join, or with --wait its result. With --to, MODE is left out.

  zsubmit join all "$a" "$b" --wait
  zsubmit list --label batch=7 -o id | zsubmit join all-settled - --then report
  zsubmit join --to "$join" "$c"`,
		Flags: flags(
			&cli.StringFlag{Name: "to", Usage: "add the members to the join `ID`, which waits still"},
			&cli.StringFlag{Name: "queue", Usage: "`QUEUE` to put it in", Value: deferred.DefaultQueue},
			&cli.StringFlag{Name: "id", Usage: "`ID` to give it", DefaultText: "random"},
			&cli.StringSliceFlag{Name: "label", Usage: "label it `KEY=VALUE`; may be repeated"},
			&cli.BoolFlag{Name: "cancel-rest", Usage: "cancel the members that are open when it has settled", DisableDefaultText: true},
			deadlineFlag(), keepFlag(),
			thenFlag("when it has succeeded"), catchFlag("when it has not"),
			&cli.BoolFlag{Name: "wait", Usage: "wait for its end and print the result", DisableDefaultText: true},
			waitForFlag(), verboseFlag(),
			formFlag("print `FORM`: id, or the record as table, json or jsonl (default: id, with --wait the result)"),
		),
		Action: func(c *cli.Context) error {
			o, err := readJoin(c, s, time.Now())
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readJoin(c *cli.Context, s streams, now time.Time) (joinOptions, error) {
	b, err := readBase(c, s, asIDs, asTable, asJSON, asLines)
	if err != nil {
		return joinOptions{}, err
	}
	o := joinOptions{callOptions: callOptions{base: b, wait: c.Bool("wait")}, to: deferred.ID(c.String("to"))}
	if o.waiting, err = readWaiting(c, s); err != nil {
		return o, err
	}
	if o.form == "" && !o.wait {
		o.form = asIDs
	}
	words, err := readIDs(c, s)
	if err != nil {
		return o, err
	}
	o.call = deferred.Call{Name: "join", Queue: c.String("queue"), ID: deferred.ID(c.String("id")), Join: &deferred.Join{Members: words}}
	if o.to != "" {
		if o.wait {
			return o, cmdline.Usagef("--wait waits for a join that is made; use \"zsubmit wait %s\"", o.to)
		}
		return o, o.to.Check()
	}
	o.call.Name = string(words[0])
	o.call.Join = &deferred.Join{Mode: deferred.JoinMode(words[0]), Members: words[1:], CancelRest: c.Bool("cancel-rest")}
	if err := o.readLimits(c, now); err != nil {
		return o, err
	}
	return o, o.call.Check()
}

func (o *joinOptions) run(ctx context.Context) error {
	if o.to == "" {
		return o.callOptions.run(ctx)
	}
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	limited, cancel := patiently(ctx)
	defer cancel()
	members := make([]*deferred.Deferred, len(o.call.Join.Members))
	for i, id := range o.call.Join.Members {
		members[i] = q.Open(id)
	}
	if err := q.Open(o.to).AddMembers(limited, members...); err != nil {
		return err
	}
	return show(ctx, q, &printer{out: o.out, form: o.form, single: true}, o.to)
}
