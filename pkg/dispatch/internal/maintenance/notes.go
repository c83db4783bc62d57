package maintenance

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
)

// A noteSweep deletes annotations without a record, round after round. Annotations have
// no time to live: most deferreds end soon, but some wait for months.
type noteSweep struct {
	after uint64    // the round has come to this revision
	began time.Time // when the round began, with the oldest annotation
}

// sweep looks at the annotations that have come of age since the last time. A new round
// begins with the oldest, whose records may be gone by now.
func (s *noteSweep) sweep(ctx context.Context, j *Janitor) {
	now := j.Records.Clock.Now()
	if now.Sub(s.began) >= j.Records.Keeping.Succeeded {
		s.after, s.began = 0, now
	}
	var chunk []driver.Entry
	for e, err := range j.Records.Store.List(ctx, driver.Query{Space: driver.Notes, After: s.after}) {
		if err != nil || now.Sub(e.Time) < j.Records.Keeping.Succeeded {
			break
		}
		s.after = e.Revision
		if records.NoteOwner(e).Check() != nil { // another client wrote it
			continue
		}
		if chunk = append(chunk, e); len(chunk) == records.ReadAtOnce {
			j.deleteLeftOver(ctx, chunk)
			chunk = nil
		}
	}
	j.deleteLeftOver(ctx, chunk)
}

// deleteLeftOver deletes annotations whose records are gone, unless they were written
// meanwhile.
func (j *Janitor) deleteLeftOver(ctx context.Context, notes []driver.Entry) {
	seem := j.notesWhose(ctx, notes, j.Records.Store.Read, func(e driver.Entry, r *deferred.Record) bool { return r == nil || records.OfEarlierDeferred(e, r) })
	// A replica may not have the records yet, so the leader is asked.
	gone := j.notesWhose(ctx, seem, j.Records.Store.ReadLatest, func(e driver.Entry, r *deferred.Record) bool { return j.leftOver(ctx, e, r) })
	writes := make([]driver.Write, len(gone))
	for i, e := range gone {
		writes[i] = driver.Write{Key: e.Key, Expect: e.Revision, Delete: true}
	}
	j.Records.Store.Write(ctx, writes)
}

// notesWhose selects annotations by their records. If the records cannot be read now, the
// next round looks again. A record that cannot be decoded is another client's, and so
// are its annotations.
func (j *Janitor) notesWhose(ctx context.Context, notes []driver.Entry, read func(context.Context, []driver.Key) ([]driver.Entry, error), goes func(driver.Entry, *deferred.Record) bool) (found []driver.Entry) {
	if len(notes) == 0 {
		return nil
	}
	keys := make([]driver.Key, len(notes))
	for i, e := range notes {
		keys[i] = records.Key(records.NoteOwner(e))
	}
	stored, err := read(ctx, keys)
	if err != nil {
		return nil
	}
	for i, e := range notes {
		if r, _, err := records.Decode(stored[i]); err == nil && goes(e, r) {
			found = append(found, e)
		}
	}
	return found
}

// leftOver reports whether an annotation has lost its deferred: the record is gone or of a
// new deferred, and, before a first attempt, no message of the call waits.
func (j *Janitor) leftOver(ctx context.Context, e driver.Entry, r *deferred.Record) bool {
	if r == nil {
		n, err := records.DecodeNote(e, 0)
		if err != nil || n.Attempt > 0 {
			return true
		}
		waits, err := j.Records.Lookup(ctx, records.NoteOwner(e))
		if err != nil {
			return errors.Is(err, deferred.ErrNotFound)
		}
		r = &waits
	}
	return records.OfEarlierDeferred(e, r)
}
