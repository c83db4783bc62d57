package main

import (
	"context"
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
	Failure  string          `json:"failure,omitempty"`
	WaitsFor []deferred.ID   `json:"waits_for,omitempty"`
	Again    bool            `json:"again,omitempty"` // it is drawn elsewhere, with what hangs on it
	Gone     bool            `json:"gone,omitempty"`  // it has settled, and is not kept any more; its state is not known
	Children []*tree         `json:"children,omitempty"`
}

func treeOf(r *deferred.Record) *tree {
	t := &tree{ID: r.ID, Name: r.Name, State: r.State, Skipped: r.Skipped}
	if r.Failure != nil {
		t.Failure = failureText(r.Failure)
	}
	if r.Waits != nil && !r.State.Settled() {
		t.WaitsFor = r.Waits.On
	}
	return t
}

// recorder is what a tree is read from.
type recorder interface {
	Record(ctx context.Context, id deferred.ID) (deferred.Record, error)
}

// grow adds what hangs on the record. A callback that was not fired has no
// record yet: it stands as it will be called. One that has settled may have none
// any more.
func grow(ctx context.Context, q recorder, t *tree, r *deferred.Record, seen map[deferred.ID]bool) error {
	seen[r.ID] = true
	for i := range r.Callbacks {
		cb := &r.Callbacks[i]
		child, err := q.Record(ctx, cb.ID)
		switch {
		case errors.Is(err, deferred.ErrNotFound) && cb.Settled:
			t.Children = append(t.Children, &tree{ID: cb.ID, Name: cb.Call.Name, On: cb.On, Kinds: cb.Kinds, Gone: true})
			continue
		case errors.Is(err, deferred.ErrNotFound):
			t.Children = append(t.Children, unfired(cb.ID, &deferred.Callback{On: cb.On, Kinds: cb.Kinds, Call: cb.Call}))
			continue
		case err != nil:
			return err
		}
		c := treeOf(&child)
		c.On, c.Kinds = branchOf(r, cb, &child)
		t.Children = append(t.Children, c)
		if c.Again = seen[child.ID]; c.Again {
			continue
		}
		if err := grow(ctx, q, c, &child, seen); err != nil {
			return err
		}
	}
	return nil
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
	if t.Gone {
		state = "settled, and not kept any more"
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
	case len(t.WaitsFor) > 0:
		return text + " " + waitsText(t.WaitsFor)
	}
	return text
}
