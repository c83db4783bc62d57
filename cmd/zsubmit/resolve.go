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
		Name: "resolve", Usage: "settle a promise as succeeded", ArgsUsage: "TOKEN|- [VALUE|-]",
		Description: `VALUE is JSON (default: null). A - reads TOKEN or VALUE from stdin. A token on the command
line is seen by all users of the machine: stdin and --token-file keep it secret. A
promise is settled once: to settle it again, be it to the same, is an error that tells
the first outcome.

  zsubmit resolve --token-file FILE '{"approved":true}'
  printf %s "$token" | zsubmit resolve - '{"approved":true}'`,
		Flags: flags(tokenFileFlag()),
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
		Name: "reject", Usage: "settle a promise as failed", ArgsUsage: "TOKEN|- MESSAGE",
		Description: `A - reads TOKEN from stdin. On the command line it is seen by all users of the machine:
stdin and --token-file keep it secret.

  zsubmit reject --token-file FILE "too expensive" --kind budget
  printf %s "$token" | zsubmit reject - "too expensive"`,
		Flags: flags(tokenFileFlag(), &cli.StringFlag{Name: "kind", Usage: "`KIND` of the failure", Value: deferred.KindRejected}),
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
	o, token, args, err := readSettling(c, s, "[VALUE|-]", 0)
	if err != nil {
		return o, err
	}
	if token.file == "-" && len(args) > 0 && args[0] == "-" {
		return o, cmdline.Usagef("stdin cannot have both the token and the value; give the token with --token-file FILE")
	}
	if o.token, err = token.read(s.in); err != nil {
		return o, err
	}
	o.value = json.RawMessage("null")
	if len(args) > 0 {
		o.value, err = readJSON("the value is", args[0], s.in)
	}
	return o, err
}

func readReject(c *cli.Context, s streams) (resolveOptions, error) {
	o, token, args, err := readSettling(c, s, "MESSAGE", 1)
	if err != nil {
		return o, err
	}
	o.failure = &deferred.Failure{Kind: c.String("kind"), Message: args[0]}
	o.token, err = token.read(s.in)
	return o, err
}

// readSettling reads what both have, but for the token itself.
func readSettling(c *cli.Context, s streams, rest string, least int) (resolveOptions, tokenSource, []string, error) {
	b, err := readBase(c, s)
	if err != nil {
		return resolveOptions{}, tokenSource{}, nil, err
	}
	token, args, err := tokenArgs(c, rest, least)
	return resolveOptions{base: b}, token, args, err
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
