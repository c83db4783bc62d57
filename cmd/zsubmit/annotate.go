package main

import (
	"context"

	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type annotateOptions struct {
	base
	id   deferred.ID
	note deferred.Note
}

func annotateCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "annotate", Usage: "set an annotation of a call", ArgsUsage: "ID KEY VALUE|-",
		Description: `VALUE is JSON; - reads it from stdin.

  zsubmit annotate "$id" reviewed true
  zsubmit annotate "$id" note '"looks odd"'`,
		Flags: flags(),
		Action: func(c *cli.Context) error {
			o, err := readAnnotate(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readAnnotate(c *cli.Context, s streams) (annotateOptions, error) {
	if err := wantArgs(c, 3, 3); err != nil {
		return annotateOptions{}, err
	}
	b, err := readBase(c, s)
	if err != nil {
		return annotateOptions{}, err
	}
	value, err := readJSON("the value is", c.Args().Get(2), s.in)
	if err != nil {
		return annotateOptions{}, err
	}
	o := annotateOptions{base: b, id: deferred.ID(c.Args().Get(0)), note: deferred.Note{Key: c.Args().Get(1), Value: value}}
	return o, o.note.Check()
}

func (o *annotateOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	ctx, cancel := patiently(ctx)
	defer cancel()
	return q.Annotate(ctx, o.id, o.note)
}
