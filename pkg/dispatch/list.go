package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"zasync/pkg/deferred"
)

// A Filter selects deferreds. Empty fields select all.
type Filter struct {
	States []deferred.State
	Name   string
	Queue  string
	Labels map[string]string // an empty value selects any
}

func (f *Filter) takes(r *deferred.Record) bool {
	if len(f.States) > 0 && !slices.Contains(f.States, r.State) ||
		f.Name != "" && f.Name != r.Name || f.Queue != "" && f.Queue != r.Queue {
		return false
	}
	for k, want := range f.Labels {
		if have, ok := r.Labels[k]; !ok || want != "" && want != have {
			return false
		}
	}
	return true
}

// List gives the deferreds that a filter selects: those with a record, oldest
// change first, then those that no worker has met yet, oldest first. There is
// no index: it reads everything.
func (q *Queue) List(ctx context.Context, f Filter) iter.Seq2[deferred.Record, error] {
	return func(yield func(deferred.Record, error) bool) {
		met := map[deferred.ID]bool{}
		for e, err := range q.store.List(ctx, Query{Space: Records}) {
			var r deferred.Record
			if err == nil {
				err = json.Unmarshal(e.Value, &r)
			}
			if err != nil {
				if !yield(r, fmt.Errorf("dispatch: list: %w", err)) {
					return
				}
				continue
			}
			met[r.ID] = true
			if f.takes(&r) && !yield(r, nil) {
				return
			}
		}
		for _, route := range []Route{Ready, Later, Delay, Due} {
			for d, err := range q.broker.Pending(ctx, Page{Route: route, Queue: f.Queue, Name: f.Name}) {
				if err != nil {
					yield(deferred.Record{}, fmt.Errorf("dispatch: list: %w", err))
					return
				}
				r, ok := q.preview(&d)
				if !ok || met[r.ID] || !f.takes(&r) {
					continue
				}
				met[r.ID] = true
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}
