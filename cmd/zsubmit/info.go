package main

import (
	"fmt"
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
