package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

// readIDs takes ids from the arguments, and for "-" from stdin, where they are
// separated by any white space.
func readIDs(c *cli.Context, s streams) ([]deferred.ID, error) {
	if !c.Args().Present() {
		return nil, cmdline.Usagef("%s needs an ID, or - to read them from stdin", c.Command.Name)
	}
	var ids []deferred.ID
	for _, arg := range c.Args().Slice() {
		if arg != "-" {
			ids = append(ids, deferred.ID(arg))
			continue
		}
		words := bufio.NewScanner(s.in)
		words.Split(bufio.ScanWords)
		for words.Scan() {
			ids = append(ids, deferred.ID(words.Text()))
		}
		if err := words.Err(); err != nil {
			return nil, fmt.Errorf("read ids from stdin: %w", err)
		}
	}
	for _, id := range ids {
		if err := id.Check(); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// fromStdin reports whether the arguments say so, however many that gives.
func fromStdin(c *cli.Context) bool { return slices.Contains(c.Args().Slice(), "-") }

// wantArgs checks the number of arguments.
func wantArgs(c *cli.Context, atLeast, atMost int) error {
	n := c.NArg()
	switch {
	case n < atLeast:
		return cmdline.Usagef("%s needs %s", c.Command.Name, c.Command.ArgsUsage)
	case n > atMost:
		return cmdline.Usagef("%s takes %s, and not the %d arguments that were given; put what has spaces into quotes",
			c.Command.Name, c.Command.ArgsUsage, n)
	}
	return nil
}

// readJSON gives a value of the command line, or for "-" that on stdin. The
// shell has taken quotes away, which is the usual mistake.
func readJSON(what, arg string, stdin io.Reader) (json.RawMessage, error) {
	data := []byte(arg)
	if arg == "-" {
		var err error
		// One byte more than is allowed is enough to be refused.
		if data, err = io.ReadAll(io.LimitReader(stdin, deferred.MaxArgsSize+1)); err != nil {
			return nil, fmt.Errorf("read %s from stdin: %w", what, err)
		}
		if len(data) > deferred.MaxArgsSize {
			// How much more there is would have to be read to be told.
			return nil, cmdline.Usagef("%s more than %d bytes on stdin, which is the limit", what, deferred.MaxArgsSize)
		}
	}
	var any json.RawMessage
	if err := json.Unmarshal(data, &any); err != nil {
		return nil, cmdline.Usagef("%s not valid JSON: %w; quote strings: '\"world\"'", what, err)
	}
	return any, nil
}

// readLabels reads K=V. Where a bare K is allowed its value is empty.
func readLabels(texts []string, bare bool) (map[string]string, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	labels := map[string]string{}
	for _, text := range texts {
		k, v, ok := strings.Cut(text, "=")
		if k == "" || !ok && !bare {
			return nil, cmdline.Usagef("--label %q is not of the form KEY=VALUE", text)
		}
		if _, twice := labels[k]; twice {
			return nil, cmdline.Usagef("--label %s is given twice", k)
		}
		labels[k] = v
	}
	return labels, nil
}
