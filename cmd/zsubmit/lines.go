package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"
)

// lines is a view of a line per change.
type lines struct {
	out  io.Writer
	last map[subject]string // what was said of it
}

// A subject is a deferred's state, or its progress.
type subject struct {
	id       deferred.ID
	progress bool
}

func newLines(w io.Writer) *lines { return &lines{out: w, last: map[subject]string{}} }

func (l *lines) found(n *node) {
	if n.relation != "" {
		l.print(n, n.relation)
	}
}

func (l *lines) full() {
	_, _ = fmt.Fprintf(l.out, "there is more: only the first %d are followed\n", maxFollowed)
}

func (l *lines) changed(n *node, c deferred.Change) {
	text := describe(c, time.Now())
	if !l.said(n.id, c, text) {
		l.print(n, text)
	}
}

func (l *lines) print(n *node, text string) {
	now := time.Now().Format(time.TimeOnly)
	_, _ = fmt.Fprintf(l.out, "%s  %s  %s\n", now, terminal.Escape(string(n.id)), terminal.Escape(text))
}

// said reports whether it reads as it did before. Records change also when
// others come to hang on them, and progress by less than is shown.
func (l *lines) said(id deferred.ID, c deferred.Change, text string) bool {
	if c.Note != nil && c.Note.Key != deferred.ProgressKey {
		return false
	}
	about := subject{id: id, progress: c.Note != nil}
	before := l.last[about]
	l.last[about] = text
	if !about.progress && text != before {
		delete(l.last, subject{id: id, progress: true})
	}
	return text == before
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
	if c.Record.Skipped {
		text += " (did not run)"
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
	text := figure(p.Done)
	if percent := math.Round(100 * p.Done / p.Total); p.Total > 0 && !math.IsInf(percent, 0) {
		if p.Done < p.Total { // it is not complete before it is
			percent = min(percent, 99)
		}
		text = figure(percent) + "%"
	}
	if p.Message != "" {
		text += " " + p.Message
	}
	return text
}

// figure is a number for people: in digits, whole if it is large.
func figure(n float64) string {
	switch size := math.Abs(n); {
	case size >= 1e15 || size > 0 && size < 1e-3: // more digits than are exact, or than can be read
		return strconv.FormatFloat(n, 'g', 4, 64)
	case size >= 1000:
		return strconv.FormatFloat(math.Round(n), 'f', 0, 64)
	}
	return strconv.FormatFloat(math.Round(n*1000)/1000, 'f', -1, 64)
}
