package main

import (
	"fmt"
	"io"
	"time"

	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"
)

// maxBars is how many bars are drawn at once for what a deferred waits for:
// what fits on a small terminal.
const maxBars = 8

// bars is a view on a terminal: a bar for the deferred, and one for each that
// it waits for while that runs.
type bars struct {
	drawn *terminal.Bars
	first *terminal.Bar
	above map[deferred.ID]*terminal.Bar
	known map[deferred.ID]deferred.State // of those it waits for
}

func newBars(w io.Writer, id deferred.ID) *bars {
	drawn := terminal.NewBars(w)
	return &bars{
		drawn: drawn, first: drawn.Add(string(id) + " pending"),
		above: map[deferred.ID]*terminal.Bar{}, known: map[deferred.ID]deferred.State{},
	}
}

func (b *bars) close() { b.drawn.Close() }

func (b *bars) full() {
	b.drawn.Println(fmt.Sprintf("zsubmit: it waits for more: only the first %d are followed", maxFollowed))
}

func (b *bars) found(n *node) {
	if n.relation != "" {
		b.known[n.id] = ""
	}
}

func (b *bars) changed(n *node, c deferred.Change) {
	if n.relation == "" {
		draw(b.first, n, c)
		return
	}
	if c.Record != nil {
		b.known[n.id] = c.Record.State
		b.count()
		b.choose(n)
	}
	if bar := b.above[n.id]; bar != nil {
		draw(bar, n, c)
	}
}

// choose gives a bar to what runs, and takes it away afterwards.
func (b *bars) choose(n *node) {
	bar := b.above[n.id]
	switch running := n.record.State == deferred.Running; {
	case bar == nil && running && len(b.above) < maxBars:
		b.above[n.id] = b.drawn.Add(string(n.id))
	case bar != nil && !running:
		bar.Remove()
		delete(b.above, n.id)
	}
}

// count shows how many of those it waits for have ended.
func (b *bars) count() {
	settled := 0
	for _, s := range b.known {
		if s.Settled() {
			settled++
		}
	}
	b.first.Set(float64(settled), float64(len(b.known)), fmt.Sprintf("%d of %d", settled, len(b.known)))
}

func draw(bar *terminal.Bar, n *node, c deferred.Change) {
	if c.Record != nil {
		bar.Label(string(n.id) + " " + describe(c, time.Now()))
		return
	}
	if p, ok := progressOf(c.Note); ok && !c.Note.Past {
		bar.Set(p.Done, p.Total, progressText(p))
	}
}
