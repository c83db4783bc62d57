package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

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
			return nil, &deferred.SizeError{Field: deferred.FieldArgs, Size: len(data), Limit: deferred.MaxArgsSize}
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

// readTime reads a point in time: RFC 3339, or without a zone the local one's;
// a time of day is the next such; a duration counts from now.
func readTime(flag, text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		t, err := time.ParseInLocation(layout, text, now.Location())
		if err != nil {
			continue
		}
		next := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		if next.Before(now) {
			next = next.AddDate(0, 0, 1)
		}
		return next, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(d), nil
	}
	return time.Time{}, cmdline.Usagef("--%s %q is not a time such as 18:30, %q or 2026-01-02T18:30:00Z, nor a duration such as 10m", flag, text, "2026-01-02 18:30")
}
