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
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
)

func noteKey(id deferred.ID, key string) driver.Key {
	return driver.Key{Space: driver.Notes, Name: string(id) + "." + key}
}

// noteOf is the id of the deferred that an annotation is on.
func noteOf(e driver.Entry) deferred.ID {
	id, _, _ := strings.Cut(e.Name, ".")
	return deferred.ID(id)
}

var errNoValue = errors.New("it has no value")

func decodeNote(e driver.Entry, current int) (deferred.Note, error) {
	var n deferred.Note
	err := json.Unmarshal(e.Value, &n)
	if err == nil && n.Value == nil {
		err = errNoValue
	}
	_, n.Key, _ = strings.Cut(e.Name, ".")
	if err != nil {
		return deferred.Note{Key: n.Key}, fmt.Errorf("dispatch: annotation %s: %w: %w", e.Name, records.ErrUnreadable, err)
	}
	n.Past = n.Attempt < current
	return n, nil
}

// sameClock is how far the clocks of the servers that store records, messages
// and annotations may be apart. A record is kept for longer than that.
const sameClock = deferred.MinKeep / 2

// earlier reports whether an annotation is of an earlier deferred of the same
// id, whose record is gone: it was stored before the call was.
func earlier(e driver.Entry, r *deferred.Record) bool {
	return !r.Submitted.IsZero() && !e.Time.IsZero() && e.Time.Before(r.Submitted.Add(-sameClock))
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
// never replaces a newer one's. It has no time to live of its own: it stays for
// as long as the record, which may wait for months, and is swept afterwards.
func (q *Queue) annotate(ctx context.Context, id deferred.ID, n deferred.Note) error {
	if err := n.Check(); err != nil {
		return err
	}
	n.Time = time.Now().UTC()
	data, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("dispatch: annotation %s: %w", n.Key, err)
	}
	t := newTries()
	maybe := false
	for {
		err := q.noteOnce(ctx, id, n.Attempt, driver.Write{Key: noteKey(id, n.Key), Value: data})
		maybe = maybe || errors.Is(err, driver.ErrUnknown)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, driver.ErrConflict): // somebody else has written
			t.gained()
		}
		if !errors.Is(err, driver.ErrConflict) && !retriable(err) || !t.more(ctx) {
			return fmt.Errorf("dispatch: annotate %s: %w", id, ofAll(ctx, maybe, err))
		}
	}
}

// noteOnce writes a note over the one that it reads.
func (q *Queue) noteOnce(ctx context.Context, id deferred.ID, attempt int, w driver.Write) error {
	entries, err := q.records.Store.Read(ctx, []driver.Key{w.Key})
	if err != nil {
		return err
	}
	e := entries[0]
	if e.Revision != 0 {
		old, err := decodeNote(e, 0)
		if err == nil && old.Attempt > attempt {
			if err := q.outdone(ctx, id, old, e); err != nil {
				return err
			}
		}
		if bytes.Equal(e.Value, w.Value) { // written before, and its answer was lost
			return nil
		}
	}
	w.Expect = e.Revision
	return q.records.Store.Write(ctx, []driver.Write{w})[0].Err
}

// outdone is ErrLost when the value that is there is of a newer attempt. One of
// an attempt that never was, or of an earlier deferred of the id, has no say.
func (q *Queue) outdone(ctx context.Context, id deferred.ID, old deferred.Note, e driver.Entry) error {
	r, err := q.Record(ctx, id)
	if err == nil && (earlier(e, &r) || old.Attempt > r.Attempt) {
		return nil
	}
	return errors.Join(deferred.ErrLost, err)
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
			if !earlier(e, &r) && !yield(decodeNote(e, r.Attempt)) {
				return
			}
		}
	}
}
