package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"
)

// printDetails prints all that people want to know of one record.
func printDetails(w io.Writer, r *deferred.Record, trace deferred.Detail, now time.Time) error {
	var b strings.Builder
	say := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-10s %s\n", key, terminal.Escape(value))
		}
	}
	say("id", string(r.ID))
	say("name", r.Name)
	say("queue", r.Queue)
	say("state", string(r.State))
	if r.State == deferred.Held {
		say("held", r.HoldReason)
	}
	say("attempt", attempts(r))
	for _, t := range []struct {
		key string
		at  time.Time
	}{{"submitted", r.Submitted}, {"not before", r.NotBefore}, {"begin by", r.BeginBy}, {"deadline", r.Deadline}, {"started", r.Started}, {"settled", r.Settled}} {
		say(t.key, moment(t.at, now))
	}
	say("worker", r.Token.Worker)
	say("settled by", r.SettledBy)
	for _, k := range slices.Sorted(maps.Keys(r.Labels)) {
		say("label", k+"="+r.Labels[k])
	}
	if r.Parent != nil {
		say("follows", fmt.Sprintf("%s, %s", r.Parent.ID, onText(r.Parent.On, r.Parent.Kinds)))
	}
	if r.Waits != nil {
		say("waits for", membersText(r.Waits))
	}
	for _, cb := range r.Callbacks {
		if cb.Waiter {
			say("awaited by", string(cb.ID))
			continue
		}
		say("callback", fmt.Sprintf("%s, %s: %s", cb.Call.Name, onText(cb.On, cb.Kinds), cb.ID))
	}
	say("arguments", jsonText(r.Args))
	say("result", resultText(r))
	for i, line := range r.Failure.Trace(trace) {
		key := ""
		if i == 0 {
			key = "failure"
		}
		say(key, strings.ReplaceAll(cmdline.Plain(line), "\t", "    "))
	}
	if r.Failure != nil && r.Failure.Stack != "" && trace != deferred.DetailVerbose {
		say("stack", "see zsubmit status --trace verbose")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func attempts(r *deferred.Record) string {
	text := fmt.Sprint(r.Attempt)
	for _, c := range []struct {
		n    int
		what string
	}{{r.Counts.Failures, "failed"}, {r.Counts.Deaths, "lost with a worker"}, {r.Counts.Commits, "not stored"}} {
		if c.n > 0 {
			text += fmt.Sprintf(", %d %s", c.n, c.what)
		}
	}
	return text
}
