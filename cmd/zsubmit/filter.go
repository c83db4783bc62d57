package main

import (
	"cmp"
	"strings"
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"

	"github.com/urfave/cli/v2"
)

func readFilter(c *cli.Context, now time.Time) (f dispatch.Filter, err error) {
	f.Name, f.Queue = c.String("name"), c.String("queue")
	if c.IsSet("name") {
		err = deferred.CheckName(f.Name)
	}
	if c.IsSet("queue") {
		err = cmp.Or(err, deferred.CheckQueue(f.Queue))
	}
	if err != nil {
		return f, err
	}
	if f.States, err = readStates(c.StringSlice("state")); err != nil {
		return f, err
	}
	if f.Labels, err = readLabels(c.StringSlice("label"), true); err != nil {
		return f, err
	}
	if f.Submitted, err = readInterval(c, "", now); err != nil {
		return f, err
	}
	f.Settled, err = readInterval(c, "settled-", now)
	return f, err
}

// readStates reads states, which may also be separated by commas.
func readStates(texts []string) ([]deferred.State, error) {
	var states []deferred.State
	for _, text := range texts {
		for word := range strings.SplitSeq(text, ",") {
			s := deferred.State(word)
			if !s.Known() {
				return nil, cmdline.Usagef("there is no state %q; the states are %s", word, listed(deferred.States))
			}
			states = append(states, s)
		}
	}
	return states, nil
}

func intervalFlag(name, usage string) cli.Flag {
	return &cli.StringFlag{Name: name, Usage: "only those " + usage}
}

// readInterval reads the flags since and until, with a prefix.
func readInterval(c *cli.Context, prefix string, now time.Time) (i dispatch.Interval, err error) {
	since, until := prefix+"since", prefix+"until"
	if c.IsSet(since) {
		if i.Since, err = readPast(since, c.String(since), now); err != nil {
			return i, err
		}
	}
	if c.IsSet(until) {
		if i.Until, err = readPast(until, c.String(until), now); err != nil {
			return i, err
		}
	}
	if c.IsSet(since) && c.IsSet(until) && !i.Since.Before(i.Until) {
		return i, cmdline.Usagef("--%s does not lie before --%s: nothing is between them", since, until)
	}
	return i, nil
}
