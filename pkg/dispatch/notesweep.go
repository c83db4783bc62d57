package dispatch

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
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
	now := f.clock.now()
	if now.Sub(s.began) >= f.config.KeepSucceeded {
		s.after, s.began = 0, now
	}
	var chunk []Entry
	for e, err := range f.store.List(ctx, Query{Space: Notes, After: s.after}) {
		if err != nil || now.Sub(e.Time) < f.config.KeepSucceeded {
			break
		}
		s.after = e.Revision
		if chunk = append(chunk, e); len(chunk) == readAtOnce {
			f.deleteLeftOver(ctx, chunk)
			chunk = nil
		}
	}
	f.deleteLeftOver(ctx, chunk)
}

// deleteLeftOver deletes those of the annotations whose deferreds are gone. One
// that was written meanwhile stays.
func (f *feed) deleteLeftOver(ctx context.Context, notes []Entry) {
	if len(notes) == 0 {
		return
	}
	ids := make([]deferred.ID, len(notes))
	for i, e := range notes {
		ids[i] = noteOf(e)
	}
	records, err := f.readRecords(ctx, ids)
	if err != nil {
		return // they come up again in the next round
	}
	var seem []Entry
	ids = nil
	for i, e := range notes {
		if records[i] == nil || earlier(e, records[i]) {
			seem, ids = append(seem, e), append(ids, noteOf(e))
		}
	}
	now, err := f.sight(ctx, ids, f.store.ReadLatest, true) // a replica may not have them yet
	if err != nil {
		return
	}
	var gone []Write
	for i, e := range seem {
		if f.leftOver(ctx, e, now[i].record) {
			gone = append(gone, Write{Key: e.Key, Expect: e.Revision, Delete: true})
		}
	}
	f.store.Write(ctx, gone)
}

// leftOver: no record is there, nor, if no attempt was made yet, a message that
// waits for one; or it is that of another deferred.
func (f *feed) leftOver(ctx context.Context, e Entry, r *deferred.Record) bool {
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
