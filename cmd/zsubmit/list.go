package main

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"

	"github.com/urfave/cli/v2"
)

type listOptions struct {
	base
	filter dispatch.Filter
	limit  int // 0 is none
}

// tableLimit is how many people want to see when they do not say.
const tableLimit = 100

func listCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list calls", ArgsUsage: " ",
		Description: `Calls that a worker has met come first, by their latest change; then those that wait.
A TIME is one such as 08:00, "2026-01-02 18:30" or 2026-01-02T18:30:00Z; a duration such
as 90m is how long ago it was.

  zsubmit list
  zsubmit list --state failed --state expired -o jsonl
  zsubmit list --since 1h --settled-since 10m
  zsubmit list --queue low --label team=blue -o id | zsubmit cancel -`,
		Flags: flags(
			&cli.StringSliceFlag{Name: "state", Usage: "only those in `STATE`; may be repeated"},
			&cli.StringFlag{Name: "name", Usage: "only calls of `NAME`"},
			&cli.StringFlag{Name: "queue", Usage: "only calls in `QUEUE`"},
			&cli.StringSliceFlag{Name: "label", Usage: "only those labelled `KEY=VALUE`, or KEY for any value; may be repeated"},
			intervalFlag("since", "submitted at `TIME` or later"), intervalFlag("until", "submitted before `TIME`"),
			intervalFlag("settled-since", "that ended at `TIME` or later"), intervalFlag("settled-until", "that ended before `TIME`"),
			&cli.IntFlag{Name: "limit", Usage: "only the last `N`; 0 for all", DefaultText: "100 in a table, otherwise all"},
			formFlag("print `FORM`: table, json, jsonl or id (default: table)"),
		),
		Action: func(c *cli.Context) error {
			o, err := readList(c, s, time.Now())
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readList(c *cli.Context, s streams, now time.Time) (listOptions, error) {
	if c.Args().Present() {
		return listOptions{}, cmdline.Usagef("list takes no argument such as %q; filters are flags", c.Args().First())
	}
	b, err := readBase(c, s, asTable, asJSON, asLines, asIDs)
	if err != nil {
		return listOptions{}, err
	}
	b.form = cmp.Or(b.form, asTable)
	o := listOptions{base: b, limit: c.Int("limit")}
	if !c.IsSet("limit") && b.form == asTable {
		o.limit = tableLimit
	}
	if o.limit < 0 {
		return o, cmdline.Usagef("--limit %d is below 0", o.limit)
	}
	if o.filter, err = readFilter(c, now); err != nil {
		return o, err
	}
	return o, nil
}

func (o *listOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	p := &printer{out: o.out, form: o.form}
	err = o.printTo(p, q.List(ctx, o.filter))
	return errors.Join(err, p.close())
}

// printTo prints what is found as it comes. With a limit it keeps the last ones,
// since nobody knows beforehand how many there are. What cannot be read hides nothing.
func (o *listOptions) printTo(p *printer, found iter.Seq2[deferred.Record, error]) error {
	var last []deferred.Record
	dropped := 0
	odd := unreadable{streams: o.streams}
	for r, err := range found {
		switch {
		case err != nil:
			if err := odd.named(err); err != nil {
				return err
			}
		case o.limit == 0:
			if err := p.print(&r); err != nil {
				return err
			}
		case len(last) < o.limit:
			last = append(last, r)
		default:
			last[dropped%o.limit] = r
			dropped++
		}
	}
	if dropped > 0 {
		last = slices.Concat(last[dropped%o.limit:], last[:dropped%o.limit])
		o.notef("%d more are not shown; --limit 0 shows all", dropped)
	}
	for i := range last {
		if err := p.print(&last[i]); err != nil {
			return err
		}
	}
	return odd.err()
}
