package dispatch

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
)

// Annotate sets a named value on behalf of somebody who does not perform the
// call. It stands as one of the present attempt.
func (q *Queue) Annotate(ctx context.Context, id deferred.ID, n deferred.Note) error {
	if err := id.Check(); err != nil {
		return err
	}
	r, err := q.Record(ctx, id)
	if err != nil {
		return err
	}
	n.Attempt = r.Attempt
	return q.records.Annotate(ctx, id, n)
}

// Annotations gives the present annotations of a deferred. An error that is
// [ErrUnreadable] is in the place of one, whose key it comes with, and the others follow:
// anybody may write there. Any other ends the list.
func (q *Queue) Annotations(ctx context.Context, id deferred.ID) iter.Seq2[deferred.Note, error] {
	return func(yield func(deferred.Note, error) bool) {
		r, err := q.Record(ctx, id)
		if errors.Is(err, deferred.ErrNotFound) { // what is left of a deferred that is gone is not shown
			return
		}
		if err != nil {
			yield(deferred.Note{}, err)
			return
		}
		for e, err := range q.records.Store.List(ctx, driver.Query{Space: driver.Notes, Prefix: string(id) + "."}) {
			if err != nil {
				yield(deferred.Note{}, fmt.Errorf("dispatch: annotations of %s: %w", id, err))
				return
			}
			if !records.OfEarlierDeferred(e, &r) && !yield(records.DecodeNote(e, r.Attempt)) {
				return
			}
		}
	}
}
