package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

// resolveOptions are those of resolve and of reject.
type resolveOptions struct {
	base
	token   deferred.PromiseToken
	value   json.RawMessage
	failure *deferred.Failure // of reject
}

func resolveCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "resolve", Usage: "settle a promise as succeeded", ArgsUsage: "TOKEN [VALUE|-]",
		Description: `VALUE is JSON (default: null); - reads it from stdin. A promise is settled once: to
settle it again, be it to the same, is an error that tells the first outcome.

  zsubmit resolve "$token" '{"approved":true}'`,
		Flags: flags(),
		Action: func(c *cli.Context) error {
			o, err := readResolve(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func rejectCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "reject", Usage: "settle a promise as failed", ArgsUsage: "TOKEN MESSAGE",
		Description: `
  zsubmit reject "$token" "too expensive" --kind budget`,
		Flags: flags(&cli.StringFlag{Name: "kind", Usage: "`KIND` of the failure", Value: deferred.KindRejected}),
		Action: func(c *cli.Context) error {
			o, err := readReject(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readResolve(c *cli.Context, s streams) (resolveOptions, error) {
	o, err := readToken(c, s, 1)
	if err != nil {
		return o, err
	}
	o.value = json.RawMessage("null")
	if c.NArg() == 2 {
		o.value, err = readJSON("the value is", c.Args().Get(1), s.in)
	}
	return o, err
}

func readReject(c *cli.Context, s streams) (resolveOptions, error) {
	o, err := readToken(c, s, 2)
	o.failure = &deferred.Failure{Kind: c.String("kind"), Message: c.Args().Get(1)}
	return o, err
}

func readToken(c *cli.Context, s streams, atLeast int) (resolveOptions, error) {
	if err := wantArgs(c, atLeast, 2); err != nil {
		return resolveOptions{}, err
	}
	b, err := readBase(c, s)
	if err != nil {
		return resolveOptions{}, err
	}
	o := resolveOptions{base: b, token: deferred.PromiseToken(c.Args().First())}
	if err := o.token.Check(); err != nil {
		return o, &cmdline.ExitError{Code: cmdline.Usage, Err: err}
	}
	return o, nil
}

func (o *resolveOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	ctx, cancel := patiently(ctx)
	defer cancel()
	if o.failure != nil {
		err = deferred.RejectPromise(ctx, q, o.token, o.failure)
	} else {
		err = deferred.ResolvePromise(ctx, q, o.token, o.value)
	}
	return tellFirst(err)
}

// tellFirst adds the outcome that came first to the error of one that came late.
func tellFirst(err error) error {
	var late *deferred.SettledError
	if !errors.As(err, &late) {
		return err
	}
	first := failureText(late.Outcome.Failure)
	if late.State == deferred.Succeeded {
		first = jsonText(late.Outcome.Result)
	}
	return fmt.Errorf("%w: %s", err, first)
}
