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

// info is what matters most about a call in its state.
func info(r *deferred.Record, now time.Time) string {
	switch {
	case r.State == deferred.Succeeded:
		return resultText(r)
	case r.State == deferred.Waiting && r.Waits != nil:
		return waitsText(r.Waits.On)
	case r.State == deferred.Scheduled && r.Counts.Failures > 0:
		return fmt.Sprintf("will be tried again %s: %s", until(r.NotBefore, now), failureText(r.Failure))
	case r.State == deferred.Scheduled:
		return "begins " + until(r.NotBefore, now)
	case r.State == deferred.Held:
		return r.HoldReason
	case r.State == deferred.Running:
		return "for " + short(now.Sub(r.Started))
	case r.State.Settled():
		return failureText(r.Failure)
	}
	return ""
}

func resultText(r *deferred.Record) string {
	if r.ResultOf != "" && r.Result.IsZero() {
		return "its result is large: see zsubmit result"
	}
	return jsonText(r.Result)
}

// membersText names what a deferred waits for, or waited for.
func membersText(w *deferred.Waits) string {
	const most = 5
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", w.Mode)
	for _, id := range w.On[:min(most, len(w.On))] {
		fmt.Fprintf(&b, " %s", id)
	}
	if more := len(w.On) - most; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

func waitsText(on []deferred.ID) string {
	if len(on) == 1 {
		return "for " + string(on[0])
	}
	return fmt.Sprintf("for %d others", len(on))
}

func failureText(f *deferred.Failure) string {
	if f == nil {
		return ""
	}
	return cmdline.Plain(f.Error())
}

func jsonText(c deferred.Content) string {
	if c.IsZero() {
		return ""
	}
	text, err := c.JSON()
	if err != nil {
		return err.Error()
	}
	return string(terminal.EscapeJSON(text))
}

// age is how long ago something was, short.
func age(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return short(now.Sub(t)) + " ago"
}

func until(t, now time.Time) string {
	if !t.After(now) {
		return "now"
	}
	return "in " + short(t.Sub(now))
}

// short is a duration in its largest unit.
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%dms", max(d.Milliseconds(), 0))
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Hours())
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}

// printDetails prints all that people want to know of one record.
func printDetails(w io.Writer, r *deferred.Record, now time.Time) error {
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
	say("failure", failureText(r.Failure))
	if r.Failure != nil && r.Failure.Stack != "" {
		say("stack", "see -o json")
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

func moment(t, now time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.After(now):
		return fmt.Sprintf("%s (%s)", t.Local().Format(time.DateTime), until(t, now))
	}
	return fmt.Sprintf("%s (%s)", t.Local().Format(time.DateTime), age(t, now))
}
