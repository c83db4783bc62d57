package main

import (
	"context"
	"errors"

	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type treeOptions struct {
	base
	id deferred.ID
}

func treeCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "tree", Usage: "draw what hangs on a deferred", ArgsUsage: "ID",
		Description: `A line for each: its name, its id, on which branch it hangs, where it stands, and how it
ended. What hangs on several is drawn once. With -o json results are whole.

  zsubmit tree "$id"
  zsubmit tree "$id" -o json | jq '.children[] | {state, result}'`,
		Flags: flags(formFlag("print `FORM`: table or json (default: table)")),
		Action: func(c *cli.Context) error {
			o, err := readTree(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readTree(c *cli.Context, s streams) (treeOptions, error) {
	if err := wantArgs(c, 1, 1); err != nil {
		return treeOptions{}, err
	}
	b, err := readBase(c, s, asTable, asJSON)
	return treeOptions{base: b, id: deferred.ID(c.Args().First())}, err
}

func (o *treeOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	limited, cancel := patiently(ctx)
	defer cancel()
	r, err := q.Record(limited, o.id)
	if err != nil {
		return err
	}
	g := grower{source: q, whole: o.form == asJSON, seen: map[deferred.ID]bool{}, odd: unreadable{streams: o.streams}}
	t, err := g.tree(limited, &r)
	if err != nil {
		return err
	}
	if o.form == asJSON {
		return errors.Join(g.odd.err(), o.printJSON(t))
	}
	t.draw(o.out, "", "")
	return g.odd.err()
}
