package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"zasync/cmd/internal/terminal"
	"zasync/pkg/deferred"

	"github.com/urfave/cli/v2"
)

type treeOptions struct {
	base
	id deferred.ID
}

func treeCommand(s streams) *cli.Command {
	return &cli.Command{
		Name: "tree", Usage: "draw what hangs on a deferred", ArgsUsage: "ID",
		Description: `A line for each: its name, its id, on which branch it hangs, and where it stands. What
hangs on several is drawn once.

  zsubmit tree "$id"
  zsubmit tree "$id" -o json | jq '.children[].state'`,
		Flags: flags(formFlag("print `FORM`: table or json (default: table)")),
		Action: func(c *cli.Context) error {
			o, err := readTree(c, s)
			if err != nil {
				return err
			}
			return o.run(c.Context)
		},
	}
}

func readTree(c *cli.Context, s streams) (treeOptions, error) {
	if err := wantArgs(c, 1, 1); err != nil {
		return treeOptions{}, err
	}
	b, err := readBase(c, s, asTable, asJSON)
	return treeOptions{base: b, id: deferred.ID(c.Args().First())}, err
}

func (o *treeOptions) run(ctx context.Context) error {
	q, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	limited, cancel := patiently(ctx)
	defer cancel()
	r, err := q.Record(limited, o.id)
	if err != nil {
		return err
	}
	t := treeOf(&r, "")
	if err := grow(limited, q, t, &r, map[deferred.ID]bool{}); err != nil {
		return err
	}
	if o.form == asJSON {
		return o.printJSON(t)
	}
	t.draw(o.out, "", "")
	return nil
}

// tree is a deferred with what hangs on it.
type tree struct {
	ID       deferred.ID     `json:"id"`
	Name     string          `json:"name"`
	State    deferred.State  `json:"state"`
	On       deferred.Branch `json:"on,omitempty"`
	Skipped  bool            `json:"skipped,omitempty"`
	Failure  string          `json:"failure,omitempty"`
	WaitsFor []deferred.ID   `json:"waits_for,omitempty"`
	Again    bool            `json:"again,omitempty"` // it is drawn elsewhere, with what hangs on it
	Gone     bool            `json:"gone,omitempty"`  // it has settled, and is not kept any more; its state is not known
	Children []*tree         `json:"children,omitempty"`
}

func treeOf(r *deferred.Record, on deferred.Branch) *tree {
	t := &tree{ID: r.ID, Name: r.Name, State: r.State, On: on, Skipped: r.Skipped}
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
	for _, cb := range r.Callbacks {
		child, err := q.Record(ctx, cb.ID)
		switch {
		case errors.Is(err, deferred.ErrNotFound) && cb.Settled:
			t.Children = append(t.Children, &tree{ID: cb.ID, Name: cb.Call.Name, On: cb.On, Gone: true})
			continue
		case errors.Is(err, deferred.ErrNotFound):
			t.Children = append(t.Children, unfired(cb.ID, cb.On, &cb.Call))
			continue
		case err != nil:
			return err
		}
		on := cb.On
		switch {
		case child.Parent != nil && child.Parent.ID == r.ID:
			on = child.Parent.On
		case cb.Waiter: // on which outcome it is woken is its own affair
			on = deferred.OnBoth
		}
		c := treeOf(&child, on)
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

func unfired(id deferred.ID, on deferred.Branch, call *deferred.Call) *tree {
	t := &tree{ID: id, Name: call.Name, State: deferred.Pending, On: on}
	for i, cb := range call.Callbacks {
		t.Children = append(t.Children, unfired(deferred.ChildID(id, i), cb.On, &cb.Call))
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
		text = fmt.Sprintf("on %s: %s", t.On, text)
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
