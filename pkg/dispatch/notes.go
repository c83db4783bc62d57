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

// Annotate sets a named value for a client that does not perform the call. The value
// counts as an annotation of the present attempt.
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

// Annotations gives the present annotations of a deferred. An [ErrUnreadable] error stands
// in the place of one annotation and comes with its key, and the others follow: any client
// may write there. Any other error ends the list.
func (q *Queue) Annotations(ctx context.Context, id deferred.ID) iter.Seq2[deferred.Note, error] {
	return func(yield func(deferred.Note, error) bool) {
		r, err := q.Record(ctx, id)
		if errors.Is(err, deferred.ErrNotFound) { // annotations left over from a forgotten deferred are not shown
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
