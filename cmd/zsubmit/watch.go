package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type watchOptions struct {
	base
	waiting waiting
	id      deferred.ID
}

func watchCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "print what happens to a call until it ends", ArgsUsage: "ID",
		Description: `A line for each change of its state and of its annotations, progress among them. The
exit code is that of "zsubmit wait".

  zsubmit watch "$id"
  zsubmit watch "$id" -o jsonl | jq 'select(.annotation.key == "progress")'`,
		Flags: flags(waitForFlag(), formFlag("print `FORM`: table or jsonl (default: table)")),
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
	return watchOptions{base: b, waiting: w, id: deferred.ID(c.Args().First())}, err
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
	var v view = &lines{out: o.out, id: o.id}
	if o.form == asLines {
		v = jsonLines{o.out}
	}
	r, err := follow(ctx, q.Open(o.id), v)
	if err != nil {
		return o.waiting.explain(ctx, o.id, err)
	}
	if r.State == deferred.Succeeded {
		return nil
	}
	return &cmdline.ExitError{Code: cmdline.StateCode(r.State)}
}

// jsonLines is a view for programs.
type jsonLines struct{ out io.Writer }

func (l jsonLines) show(c deferred.Change) {
	text, err := json.Marshal(struct {
		Record     *deferred.Record `json:"record,omitempty"`
		Annotation *namedNote       `json:"annotation,omitempty"`
	}{c.Record, named(c.Note)})
	if err != nil {
		text = fmt.Appendf(nil, "{\"error\":%q}", err)
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
