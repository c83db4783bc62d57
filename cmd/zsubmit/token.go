package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

// maxToken is more than any token has, in bytes.
const maxToken = 4 << 10

func tokenFileFlag() cli.Flag {
	return &cli.StringFlag{Name: "token-file", Usage: "read the promise's token from `FILE`, in place of TOKEN"}
}

// tokenSource is where the token of a promise is: a token on the command line is seen
// by all users of the machine.
type tokenSource struct {
	token deferred.PromiseToken
	file  string // "-" is stdin; "" if there is a token
}

// tokenArgs gives the source of the token and the argument after it, if there is one.
func tokenArgs(c *cli.Context, rest string, least int) (tokenSource, []string, error) {
	args := c.Args().Slice()
	if file := c.String("token-file"); file != "" {
		if len(args) < least || len(args) > 1 {
			return tokenSource{}, nil, cmdline.Usagef("with --token-file %s takes %s", c.Command.Name, rest)
		}
		return tokenSource{file: file}, args, nil
	}
	if err := wantArgs(c, 1+least, 2); err != nil {
		return tokenSource{}, nil, err
	}
	if args[0] == "-" {
		return tokenSource{file: "-"}, args[1:], nil
	}
	return tokenSource{token: deferred.PromiseToken(args[0])}, args[1:], nil
}

func (t tokenSource) read(stdin io.Reader) (deferred.PromiseToken, error) {
	token, err := t.given(stdin)
	if err != nil {
		return "", err
	}
	if err := token.Check(); err != nil {
		return "", &cmdline.ExitError{Code: cmdline.Usage, Err: err}
	}
	return token, nil
}

func (t tokenSource) given(stdin io.Reader) (deferred.PromiseToken, error) {
	switch t.file {
	case "":
		return t.token, nil
	case "-":
		return tokenIn("stdin", "on stdin", stdin)
	}
	f, err := os.Open(t.file)
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	defer func() { _ = f.Close() }()
	return tokenIn(t.file, "in "+t.file, f)
}

// tokenIn is the one word that there is.
func tokenIn(place, in string, r io.Reader) (deferred.PromiseToken, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	words := strings.Fields(string(data))
	switch {
	case len(words) == 0:
		return "", cmdline.Usagef("there is no token %s", in)
	case len(words) > 1 || len(data) > maxToken:
		return "", cmdline.Usagef("%s has more than a token: it is to have one line, as \"zsubmit promise\" prints it", place)
	}
	return deferred.PromiseToken(words[0]), nil
}
