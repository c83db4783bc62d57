package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"
)

// A view shows the changes of a deferred.
type view interface {
	show(c deferred.Change)
}

// follow shows the changes of a deferred until it has settled.
func follow(ctx context.Context, d *deferred.Deferred, v view) (deferred.Record, error) {
	for c, err := range d.Watch(ctx) {
		if err != nil {
			return deferred.Record{}, err
		}
		v.show(c)
		if c.Record != nil && c.Record.State.Settled() {
			return *c.Record, nil
		}
	}
	return deferred.Record{}, fmt.Errorf("watch %s: it ended too soon", d.ID())
}

// lines is a view of a line per change.
type lines struct {
	out  io.Writer
	id   deferred.ID
	last string // progress since the last change of the state
}

func (l *lines) show(c deferred.Change) {
	now := time.Now()
	text := describe(c, now)
	if l.said(c, text) {
		return
	}
	_, _ = fmt.Fprintf(l.out, "%s  %s  %s\n", now.Format(time.TimeOnly), l.id, terminal.Escape(text))
}

// said reports whether it is progress that reads as it did before.
func (l *lines) said(c deferred.Change, text string) bool {
	switch {
	case c.Note == nil:
		l.last = ""
	case c.Note.Key == deferred.ProgressKey:
		before := l.last
		l.last = text
		return text == before
	}
	return false
}

// describe is a change in one line, not escaped.
func describe(c deferred.Change, now time.Time) string {
	if c.Note != nil {
		return fmt.Sprintf("%-10s %s", c.Note.Key, noteText(c.Note))
	}
	text := string(c.Record.State)
	if c.Record.State == deferred.Running {
		return fmt.Sprintf("%-10s attempt %d", text, c.Record.Attempt)
	}
	if more := info(c.Record, now); more != "" {
		text = fmt.Sprintf("%-10s %s", text, more)
	}
	return text
}

func noteText(n *deferred.Note) string {
	if p, ok := progressOf(n); ok {
		return progressText(p)
	}
	return string(terminal.EscapeJSON(n.Value))
}

func progressOf(n *deferred.Note) (deferred.Progress, bool) {
	var p deferred.Progress
	if n.Key != deferred.ProgressKey || json.Unmarshal(n.Value, &p) != nil {
		return p, false
	}
	return p, true
}

func progressText(p deferred.Progress) string {
	text := fmt.Sprintf("%.4g", p.Done)
	if p.Total > 0 {
		text = fmt.Sprintf("%.0f%%", 100*p.Done/p.Total)
	}
	if p.Message != "" {
		text += " " + p.Message
	}
	return text
}

// bar is a view on a terminal.
type bar struct {
	bars *terminal.Bars
	bar  *terminal.Bar
}

func newBar(w io.Writer, id deferred.ID) *bar {
	bars := terminal.NewBars(w)
	return &bar{bars: bars, bar: bars.Add(string(id) + " pending")}
}

func (b *bar) close() { b.bars.Close() }

func (b *bar) show(c deferred.Change) {
	if c.Record != nil {
		b.bar.Label(string(c.Record.ID) + " " + describe(c, time.Now()))
		return
	}
	if p, ok := progressOf(c.Note); ok && !c.Note.Past {
		b.bar.Set(p.Done, p.Total, progressText(p))
	}
}
