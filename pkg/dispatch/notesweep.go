package dispatch

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
)

// noteSweep is how far a worker has come with deleting the annotations of
// deferreds that are gone. Annotations have no time to live: most deferreds end
// soon, but some wait for months.
type noteSweep struct {
	after uint64    // looked at up to this revision
	began time.Time // the round, from the oldest on
}

// sweep looks at the annotations that have come of age since the last time, and
// in a new round at those again whose deferreds were still there.
func (s *noteSweep) sweep(ctx context.Context, f *feed) {
	now := f.records.Clock.Now()
	if now.Sub(s.began) >= f.config.KeepSucceeded {
		s.after, s.began = 0, now
	}
	var chunk []driver.Entry
	for e, err := range f.records.Store.List(ctx, driver.Query{Space: driver.Notes, After: s.after}) {
		if err != nil || now.Sub(e.Time) < f.config.KeepSucceeded {
			break
		}
		s.after = e.Revision
		if noteOf(e).Check() != nil { // it is somebody's
			continue
		}
		if chunk = append(chunk, e); len(chunk) == records.ReadAtOnce {
			f.deleteLeftOver(ctx, chunk)
			chunk = nil
		}
	}
	f.deleteLeftOver(ctx, chunk)
}

// deleteLeftOver deletes those of the annotations whose deferreds are gone. One
// that was written meanwhile stays.
func (f *feed) deleteLeftOver(ctx context.Context, notes []driver.Entry) {
	seem := f.notesWhose(ctx, notes, f.records.Store.Read, func(e driver.Entry, r *deferred.Record) bool { return r == nil || earlier(e, r) })
	// A replica may not have them yet.
	gone := f.notesWhose(ctx, seem, f.records.Store.ReadLatest, func(e driver.Entry, r *deferred.Record) bool { return f.leftOver(ctx, e, r) })
	writes := make([]driver.Write, len(gone))
	for i, e := range gone {
		writes[i] = driver.Write{Key: e.Key, Expect: e.Revision, Delete: true}
	}
	f.records.Store.Write(ctx, writes)
}

// notesWhose are those of the annotations that go by their records, as they are read.
// Those that are not read come up again in the next round; one that cannot be read is
// somebody's, and so are its annotations.
func (f *feed) notesWhose(ctx context.Context, notes []driver.Entry, read func(context.Context, []driver.Key) ([]driver.Entry, error), goes func(driver.Entry, *deferred.Record) bool) (found []driver.Entry) {
	if len(notes) == 0 {
		return nil
	}
	keys := make([]driver.Key, len(notes))
	for i, e := range notes {
		keys[i] = records.Key(noteOf(e))
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

// leftOver: no record is there, nor, if no attempt was made yet, a message that
// waits for one; or it is that of another deferred.
func (f *feed) leftOver(ctx context.Context, e driver.Entry, r *deferred.Record) bool {
	if r == nil {
		n, err := decodeNote(e, 0)
		if err != nil || n.Attempt > 0 {
			return true
		}
		waits, err := f.record(ctx, noteOf(e))
		if err != nil {
			return errors.Is(err, deferred.ErrNotFound)
		}
		r = &waits
	}
	return earlier(e, r)
}
