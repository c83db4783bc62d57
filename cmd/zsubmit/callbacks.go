package main

import (
	"fmt"
	"slices"
	"strings"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

func afterFlag() cli.Flag {
	return &cli.StringFlag{Name: "after", Usage: "call it when `ID` has ended"}
}

func onFlag() cli.Flag {
	return &cli.StringFlag{Name: "on", Usage: "with --after: on `OUTCOME` success, failure, both or skipped", Value: string(deferred.OnSuccess)}
}

func kindFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "kind", Usage: "with --on failure or skipped: only on failures of `KIND`; may be repeated"}
}

// readAfter reads which deferred the call follows, and on which outcomes.
func (o *callOptions) readAfter(c *cli.Context) error {
	if !c.IsSet("after") {
		for _, flag := range []string{"on", "kind"} {
			if c.IsSet(flag) {
				return cmdline.Usagef("--%s needs --after", flag)
			}
		}
		return nil
	}
	a := deferred.After{Parent: deferred.ID(c.String("after")), On: deferred.Branch(c.String("on")), Kinds: c.StringSlice("kind")}
	failures := []deferred.Branch{deferred.OnFailure, deferred.OnSkipped}
	switch {
	case !slices.Contains(append(failures, deferred.OnSuccess, deferred.OnBoth), a.On):
		return cmdline.Usagef("--on cannot be %q but success, failure, both or skipped", string(a.On))
	case len(a.Kinds) > 0 && !slices.Contains(failures, a.On):
		return cmdline.Usagef("--kind chooses among failures, and so needs --on failure or --on skipped")
	}
	o.call.After = &a
	return nil
}

func thenFlag(when string) cli.Flag {
	return &cli.StringSliceFlag{Name: "then", Usage: when + ", call `NAME` with its result; may be repeated"}
}

func catchFlag(when string) cli.Flag {
	return &cli.StringSliceFlag{Name: "catch", Usage: when + ", call `NAME` with the failure, or as NAME:KIND,KIND only with one of these kinds; may be repeated"}
}

// readCallbacks reads the callbacks that travel with the call. They are put in
// its queue, where there are workers.
func (o *callOptions) readCallbacks(c *cli.Context) error {
	for _, name := range c.StringSlice("then") {
		o.addCallback(name, deferred.OnSuccess, nil)
	}
	for _, text := range c.StringSlice("catch") {
		name, list, some := strings.Cut(text, ":")
		var kinds []string
		if some {
			for kind := range strings.SplitSeq(list, ",") {
				kinds = append(kinds, strings.TrimSpace(kind))
			}
		}
		if slices.Contains(kinds, "") {
			return cmdline.Usagef("--catch %q lacks a kind; it is of the form NAME or NAME:KIND,KIND", text)
		}
		o.addCallback(name, deferred.OnFailure, kinds)
	}
	return nil
}

func (o *callOptions) addCallback(name string, on deferred.Branch, kinds []string) {
	o.call.Callbacks = append(o.call.Callbacks, deferred.Callback{On: on, Kinds: kinds, Call: deferred.Call{Name: name, Queue: o.call.Queue}})
}

// onText says on which outcomes a callback runs.
func onText(on deferred.Branch, kinds []string) string {
	if len(kinds) == 0 {
		return fmt.Sprintf("on %s", on)
	}
	return fmt.Sprintf("on %s of kind %s", on, strings.Join(kinds, " or "))
}
