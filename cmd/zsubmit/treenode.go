package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"
)

// tree is a deferred with what hangs on it.
type tree struct {
	ID       deferred.ID     `json:"id"`
	Name     string          `json:"name"`
	State    deferred.State  `json:"state"`
	On       deferred.Branch `json:"on,omitempty"`
	Kinds    []string        `json:"kinds,omitempty"` // of the failures that it is for, if not for all
	Skipped  bool            `json:"skipped,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"` // if it is wanted whole
	Failure  string          `json:"failure,omitempty"`
	WaitsFor []deferred.ID   `json:"waits_for,omitempty"`
	Again    bool            `json:"again,omitempty"`      // it is drawn elsewhere, with what hangs on it
	Gone     bool            `json:"gone,omitempty"`       // it has settled, and is not kept any more; its state is not known
	Odd      bool            `json:"unreadable,omitempty"` // what is stored of it cannot be read; its state is not known
	Children []*tree         `json:"children,omitempty"`

	result string // as much of it as is shown
}

// shownResult is how much of a result is shown, in characters.
const shownResult = 60

func treeOf(r *deferred.Record) *tree {
	t := &tree{ID: r.ID, Name: r.Name, State: r.State, Skipped: r.Skipped}
	if r.Failure != nil {
		t.Failure = failureText(r.Failure)
	}
	if r.State == deferred.Succeeded {
		t.result = terminal.Cut(resultText(r), shownResult)
	}
	if r.Waits != nil && !r.State.Settled() {
		t.WaitsFor = r.Waits.On
	}
	return t
}

// recorder is what records are read from.
type recorder interface {
	Record(ctx context.Context, id deferred.ID) (deferred.Record, error)
}

// A grower makes a tree of records.
type grower struct {
	source interface {
		recorder
		Await(ctx context.Context, id deferred.ID) (deferred.Record, error)
	}
	whole bool // results are wanted whole
	seen  map[deferred.ID]bool
	odd   unreadable
}

// tree is the deferred of a record with what hangs on it, unless that has been
// drawn before. A callback that was not fired has no record yet: it stands as it
// will be called. One that has settled may have none any more.
func (g *grower) tree(ctx context.Context, r *deferred.Record) (t *tree, err error) {
	t = treeOf(r)
	if t.Again = g.seen[r.ID]; t.Again {
		return t, nil
	}
	g.seen[r.ID] = true
	if g.whole && r.State == deferred.Succeeded {
		if t.Result, err = g.result(ctx, r); err != nil {
			return nil, fmt.Errorf("result of %s: %w", r.ID, err)
		}
	}
	for i := range r.Callbacks {
		child, err := g.child(ctx, r, &r.Callbacks[i])
		if err != nil {
			return nil, err
		}
		t.Children = append(t.Children, child)
	}
	return t, nil
}

func (g *grower) child(ctx context.Context, r *deferred.Record, cb *deferred.RecordedCallback) (*tree, error) {
	child, err := g.source.Record(ctx, cb.ID)
	switch {
	case errors.Is(err, deferred.ErrNotFound) && cb.Settled:
		return &tree{ID: cb.ID, Name: cb.Call.Name, On: cb.On, Kinds: cb.Kinds, Gone: true}, nil
	case errors.Is(err, deferred.ErrNotFound):
		return unfired(cb.ID, &deferred.Callback{On: cb.On, Kinds: cb.Kinds, Call: cb.Call}), nil
	case err != nil:
		return &tree{ID: cb.ID, Name: cb.Call.Name, On: cb.On, Kinds: cb.Kinds, Odd: true}, g.odd.named(err)
	}
	t, err := g.tree(ctx, &child)
	if err == nil {
		t.On, t.Kinds = branchOf(r, cb, &child)
	}
	return t, err
}

// result reads also one that is kept by reference.
func (g *grower) result(ctx context.Context, r *deferred.Record) (json.RawMessage, error) {
	whole, err := whole(ctx, g.source, *r)
	if err != nil || whole.Result.IsZero() {
		return nil, err
	}
	return whole.Result.JSON()
}

// branchOf says on which outcomes of a record its callback runs.
func branchOf(r *deferred.Record, cb *deferred.RecordedCallback, child *deferred.Record) (deferred.Branch, []string) {
	switch {
	case child.Parent != nil && child.Parent.ID == r.ID:
		return child.Parent.On, child.Parent.Kinds
	case cb.Waiter: // on which outcome it is woken is its own affair
		return deferred.OnBoth, nil
	}
	return cb.On, cb.Kinds
}

func unfired(id deferred.ID, cb *deferred.Callback) *tree {
	t := &tree{ID: id, Name: cb.Call.Name, State: deferred.Pending, On: cb.On, Kinds: cb.Kinds}
	for i := range cb.Call.Callbacks {
		t.Children = append(t.Children, unfired(deferred.ChildID(id, i), &cb.Call.Callbacks[i]))
	}
	return t
}

// draw prints the tree, each line after first and what follows after rest.
func (t *tree) draw(w io.Writer, first, rest string) {
	_, _ = fmt.Fprintln(w, first+terminal.Escape(t.text()))
	for i, c := range t.Children {
		if i == len(t.Children)-1 {
			c.draw(w, rest+"└─ ", rest+"   ")
		} else {
			c.draw(w, rest+"├─ ", rest+"│  ")
		}
	}
}

func (t *tree) text() string {
	state := string(t.State)
	switch {
	case t.Gone:
		state = "settled, and not kept any more"
	case t.Odd:
		state = "cannot be read"
	}
	text := fmt.Sprintf("%s  %s  %s", t.Name, t.ID, state)
	if t.On != "" {
		text = onText(t.On, t.Kinds) + ": " + text
	}
	switch {
	case t.Again:
		return text + " (drawn above)"
	case t.Skipped:
		return text + " (did not run)"
	case t.Failure != "":
		return text + ": " + t.Failure
	case t.result != "":
		return text + ": " + t.result
	case len(t.WaitsFor) > 0:
		return text + " " + waitsText(t.WaitsFor)
	}
	return text
}
