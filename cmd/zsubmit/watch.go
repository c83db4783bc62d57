package main

import (
	"context"
	"encoding/json"
	"fmt"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type watchOptions struct {
	base
	waiting waiting
	id      deferred.ID
	reach   reach
}

func watchCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "print what happens to a call, and to all that hangs on it, until it ends", ArgsUsage: "ID",
		Description: `A line for each change of a state and of the annotations, progress among them: of the
deferred, of what hangs on it and of what it waits for. It ends when the deferred and all
that hangs on it have settled. The exit code is that of "zsubmit wait".

  zsubmit watch "$id"
  zsubmit watch "$id" --only
  zsubmit watch "$id" -o jsonl | jq 'select(.annotation.key == "progress")'`,
		Flags: flags(onlyFlag(), waitForFlag(), formFlag("print `FORM`: table or jsonl (default: table)")),
		Action: func(c *cli.Context) error {
			o, err := readWatch(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readWatch(c *cli.Context, s streams) (watchOptions, error) {
	if err := wantArgs(c, 1, 1); err != nil {
		return watchOptions{}, err
	}
	b, err := readBase(c, s, asTable, asLines)
	if err != nil {
		return watchOptions{}, err
	}
	w, err := readWaiting(c, s)
	all := !c.Bool("only")
	return watchOptions{base: b, waiting: w, id: deferred.ID(c.Args().First()), reach: reach{below: all, above: all}}, err
}

func onlyFlag() cli.Flag {
	return &cli.BoolFlag{Name: "only", Usage: "follow the deferred alone, and end when it has settled", DisableDefaultText: true}
}

func (o *watchOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	ctx, cancel := o.waiting.limited(ctx)
	defer cancel()
	if err := known(ctx, q, o.id); err != nil {
		return o.waiting.explain(ctx, o.id, err)
	}
	var v view = newLines(o.out)
	if o.form == asLines {
		v = jsonLines{o.streams}
	}
	r, err := follow(ctx, q, o.id, o.reach, v)
	if err != nil {
		return o.waiting.explain(ctx, o.id, err)
	}
	if r.State == deferred.Succeeded {
		return nil
	}
	return &cmdline.ExitError{Code: cmdline.StateCode(r.State)}
}

// jsonLines is a view for programs.
type jsonLines struct{ streams }

func (l jsonLines) found(*node) {} // records say what hangs on them

func (l jsonLines) full() { l.notef("there is more: only the first %d are followed", maxFollowed) }

func (l jsonLines) changed(n *node, c deferred.Change) {
	text, err := json.Marshal(struct {
		ID         deferred.ID      `json:"id"`
		Record     *deferred.Record `json:"record,omitempty"`
		Annotation *namedNote       `json:"annotation,omitempty"`
	}{n.id, c.Record, named(c.Note)})
	if err != nil {
		text = fmt.Appendf(nil, "{\"id\":%q,\"error\":%q}", n.id, err)
	}
	_, _ = fmt.Fprintf(l.out, "%s\n", terminal.EscapeJSON(text))
}

// namedNote is a note beside others, with its key.
type namedNote struct {
	Key string `json:"key"`
	*deferred.Note
}

func named(n *deferred.Note) *namedNote {
	if n == nil {
		return nil
	}
	return &namedNote{Key: n.Key, Note: n}
}
