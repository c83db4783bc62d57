package records

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

// NoteKey is the key of an annotation.
func NoteKey(id deferred.ID, key string) driver.Key {
	return driver.Key{Space: driver.Notes, Name: string(id) + "." + key}
}

// NoteOwner is the id of the deferred that an annotation belongs to.
func NoteOwner(e driver.Entry) deferred.ID {
	id, _, _ := strings.Cut(e.Name, ".")
	return deferred.ID(id)
}

var errNoValue = errors.New("it has no value")

// DecodeNote reads an annotation. One of an attempt before the current one is past.
func DecodeNote(e driver.Entry, current int) (deferred.Note, error) {
	var n deferred.Note
	err := json.Unmarshal(e.Value, &n)
	if err == nil && n.Value == nil {
		err = errNoValue
	}
	_, n.Key, _ = strings.Cut(e.Name, ".")
	if err != nil {
		return deferred.Note{Key: n.Key}, fmt.Errorf("dispatch: annotation %s: %w: %w", e.Name, ErrUnreadable, err)
	}
	n.Past = n.Attempt < current
	return n, nil
}

// sameClock is how far the clocks of the servers of two streams may differ. Every record
// is kept longer than that.
const sameClock = deferred.MinKeep / 2

// OfEarlierDeferred reports whether an annotation belongs to an earlier deferred under the
// id: it was stored before the call was.
func OfEarlierDeferred(e driver.Entry, r *deferred.Record) bool {
	return !r.Submitted.IsZero() && !e.Time.IsZero() && e.Time.Before(r.Submitted.Add(-sameClock))
}

// Annotate writes an annotation by compare-and-set: the value of an older attempt never
// replaces the value of a newer one. An annotation has no time to live; the maintenance
// deletes it after its record.
func (rs *Records) Annotate(ctx context.Context, id deferred.ID, n deferred.Note) error {
	if err := n.Check(); err != nil {
		return err
	}
	n.Time = time.Now().UTC()
	data, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("dispatch: annotation %s: %w", n.Key, err)
	}
	t := liveness.NewTries()
	maybe := false
	for {
		err := rs.noteOnce(ctx, id, n.Attempt, driver.Write{Key: NoteKey(id, n.Key), Value: data})
		maybe = maybe || errors.Is(err, driver.ErrUnknown)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, driver.ErrConflict): // another client has written
			t.Gained()
		}
		if !errors.Is(err, driver.ErrConflict) && !liveness.Retriable(err) || !t.More(ctx) {
			return fmt.Errorf("dispatch: annotate %s: %w", id, liveness.OfAll(ctx, maybe, err))
		}
	}
}

// noteOnce reads an annotation and writes over it.
func (rs *Records) noteOnce(ctx context.Context, id deferred.ID, attempt int, w driver.Write) error {
	entries, err := rs.Store.Read(ctx, []driver.Key{w.Key})
	if err != nil {
		return err
	}
	e := entries[0]
	if e.Revision != 0 {
		old, err := DecodeNote(e, 0)
		if err == nil && old.Attempt > attempt {
			if err := rs.outdone(ctx, id, old, e); err != nil {
				return err
			}
		}
		if bytes.Equal(e.Value, w.Value) { // it was written before, and the answer was lost
			return nil
		}
	}
	w.Expect = e.Revision
	return rs.Store.Write(ctx, []driver.Write{w})[0].Err
}

// outdone is ErrLost if the stored value is of a newer attempt. A value of an attempt that
// never was, or of an earlier deferred under the id, does not count.
func (rs *Records) outdone(ctx context.Context, id deferred.ID, old deferred.Note, e driver.Entry) error {
	r, err := rs.Lookup(ctx, id)
	if err == nil && (OfEarlierDeferred(e, &r) || old.Attempt > r.Attempt) {
		return nil
	}
	return errors.Join(deferred.ErrLost, err)
}
