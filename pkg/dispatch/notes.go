package dispatch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"zasync/pkg/deferred"
)

func noteKey(id deferred.ID, key string) Key { return Key{Space: Notes, Name: string(id) + "." + key} }

func decodeNote(e Entry, current int) (deferred.Note, error) {
	var n deferred.Note
	if err := json.Unmarshal(e.Value, &n); err != nil {
		return n, fmt.Errorf("dispatch: annotation %s: %w", e.Name, err)
	}
	_, n.Key, _ = strings.Cut(e.Name, ".")
	n.Past = n.Attempt < current
	return n, nil
}

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
	return q.annotate(ctx, id, n)
}

// annotate writes a note by compare-and-set, so that an older attempt's value
// never replaces a newer one's. A note outlives every record that may carry it.
func (q *Queue) annotate(ctx context.Context, id deferred.ID, n deferred.Note) error {
	if err := n.Check(); err != nil {
		return err
	}
	n.Time = time.Now().UTC()
	data, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("dispatch: annotation %s: %w", n.Key, err)
	}
	key := noteKey(id, n.Key)
	for {
		entries, err := q.store.Read(ctx, []Key{key})
		if err != nil {
			return fmt.Errorf("dispatch: annotate %s: %w", id, err)
		}
		e := entries[0]
		if e.Revision != 0 {
			old, err := decodeNote(e, 0)
			if err == nil && old.Attempt > n.Attempt {
				return deferred.ErrLost
			}
			if bytes.Equal(e.Value, data) { // written before, and its answer was lost
				return nil
			}
		}
		keep := max(q.config.KeepSucceeded, q.config.KeepOthers) + 24*time.Hour
		err = q.store.Write(ctx, []Write{{Key: key, Value: data, Expect: e.Revision, TTL: keep}})[0].Err
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrUnknown) || ctx.Err() != nil {
			return fmt.Errorf("dispatch: annotate %s: %w", id, err)
		}
	}
}

// Annotations gives the present annotations of a deferred.
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
		current := r.Attempt
		for e, err := range q.store.List(ctx, Query{Space: Notes, Prefix: string(id) + "."}) {
			var n deferred.Note
			if err == nil {
				n, err = decodeNote(e, current)
			}
			if !yield(n, err) || err != nil {
				return
			}
		}
	}
}
