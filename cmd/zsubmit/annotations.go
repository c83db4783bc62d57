package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type annotationsOptions struct {
	base
	id    deferred.ID
	until condition
}

func annotationsCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "annotations", Usage: "show the annotations of a call", ArgsUsage: "ID",
		Description: `With -o json it is an object of the values by their keys. One that an earlier attempt
has written is marked as past in the table. With --until it waits for one first; VALUE
is JSON, or else a text. Exit code 6 says that it gave up. If the call ends without
the annotation, the exit code is that of "zsubmit wait", but 1 if it has succeeded.

  zsubmit annotations "$id"
  zsubmit annotations "$id" --until ready=true --wait-for 1m
  zsubmit annotations "$id" --until step=upload
  zsubmit annotations "$id" -o json | jq .progress.done`,
		Flags: flags(untilFlag(), waitForFlag(), formFlag("print `FORM`: table, json or jsonl (default: table)")),
		Action: func(c *cli.Context) error {
			o, err := readAnnotations(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readAnnotations(c *cli.Context, s streams) (annotationsOptions, error) {
	if err := wantArgs(c, 1, 1); err != nil {
		return annotationsOptions{}, err
	}
	b, err := readBase(c, s, asTable, asJSON, asLines)
	if err != nil {
		return annotationsOptions{}, err
	}
	u, err := readCondition(c, s)
	return annotationsOptions{base: b, id: deferred.ID(c.Args().First()), until: u}, err
}

func (o *annotationsOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	if o.until.key != "" {
		if err := o.until.await(ctx, q, o.id); err != nil {
			return err
		}
	}
	ctx, cancel := patiently(ctx)
	defer cancel()
	if _, err := q.Record(ctx, o.id); err != nil {
		return err
	}
	var notes []deferred.Note
	odd := unreadable{streams: o.streams}
	for n, err := range q.Annotations(ctx, o.id) {
		if err == nil {
			notes = append(notes, n)
		} else if err = odd.named(err); err != nil {
			return err
		}
	}
	slices.SortFunc(notes, func(a, b deferred.Note) int { return cmp.Compare(a.Key, b.Key) })
	return errors.Join(odd.err(), o.show(notes))
}

func (o *annotationsOptions) show(notes []deferred.Note) error {
	switch o.form {
	case asJSON:
		values := map[string]json.RawMessage{}
		for _, n := range notes {
			values[n.Key] = n.Value
		}
		return o.printJSON(values)
	case asLines:
		for i := range notes {
			text, err := json.Marshal(named(&notes[i]))
			if err != nil {
				return fmt.Errorf("annotation %s: %w", notes[i].Key, err)
			}
			o.print(string(terminal.EscapeJSON(text)))
		}
		return nil
	}
	return printNotes(o.base, notes)
}

func (b *base) printJSON(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, terminal.EscapeJSON(text), "", "  "); err != nil {
		return err
	}
	b.print(indented.String())
	return nil
}

func printNotes(b base, notes []deferred.Note) error {
	t := terminal.Table{Columns: []terminal.Column{
		{Name: "key"}, {Name: "value", Max: 80}, {Name: "attempt", Right: true}, {Name: "written", Right: true},
	}}
	for i := range notes {
		n := &notes[i]
		attempt := fmt.Sprint(n.Attempt)
		if n.Past {
			attempt = attempt + ", past"
		}
		t.Add(n.Key, noteText(n), attempt, age(n.Time, time.Now()))
	}
	return t.Print(b.out)
}
