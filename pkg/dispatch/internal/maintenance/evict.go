package maintenance

import (
	"context"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
)

// evict keeps the number of settled records below its bound. It deletes records that
// nothing needs any more: the oldest that succeeded, and if these are too few the oldest
// of the others. It makes room for some more at once, since it reads every record.
func (j *Janitor) evict(ctx context.Context) {
	n, err := j.Records.Store.Count(ctx, driver.Records)
	if err != nil || n <= j.MaxRecords {
		return
	}
	room, now := j.MaxRecords/20, j.Records.Clock.Now()
	settled, limit := 0, n-j.MaxRecords+room
	var succeeded, others []forgettable
	for e, err := range j.Records.Store.List(ctx, driver.Query{Space: driver.Records}) {
		if err != nil {
			return
		}
		r, err := records.DecodeOwn(e)
		if err != nil || !r.State.Settled() {
			continue
		}
		settled++
		list := &others
		if r.State == deferred.Succeeded {
			list = &succeeded
		}
		if r.Seen && j.Records.Keeping.TTL(r, j.Records.Clock.Now()) > 0 && !r.Needed.After(now) && len(*list) < limit {
			*list = append(*list, forgettable{id: r.ID, revision: e.Revision})
		}
	}
	// The count includes open and deleted records, and excludes those that settled
	// since. Of the successes no more were listed than the count asks for.
	excess := min(settled, n) - j.MaxRecords
	if excess <= 0 {
		return
	}
	gone := succeeded[:min(len(succeeded), excess+room)]
	if excess > len(gone) {
		gone = append(gone, others[:min(len(others), excess+room-len(gone))]...)
	}
	j.forget(ctx, gone)
}

// A forgettable record may be deleted at this revision.
type forgettable struct {
	id       deferred.ID
	revision uint64
}

// forget deletes records with their annotations. A record that was written meanwhile is
// needed again, and stays. The annotations are listed before: later ones belong to a new
// deferred under the id. A reader of the list of unhandled failures cleans its entry.
func (j *Janitor) forget(ctx context.Context, old []forgettable) {
	began, gone := time.Now(), 0
	for chunk := range slices.Chunk(old, records.ReadAtOnce) {
		if ctx.Err() != nil {
			break
		}
		writes, notes := make([]driver.Write, len(chunk)), make([][]driver.Write, len(chunk))
		for i, r := range chunk {
			notes[i] = j.notesAway(ctx, r.id)
			writes[i] = driver.Write{Key: records.Key(r.id), Expect: r.revision, Delete: true}
		}
		for i, w := range j.Records.Store.Write(ctx, writes) {
			if w.Err != nil {
				continue
			}
			gone++
			j.Records.Store.Write(ctx, notes[i]) // the sweep of annotations deletes those that stay
		}
	}
	j.Log.Info("oldest records forgotten", "count", gone, "took", time.Since(began).Round(time.Millisecond).String())
}

// notesAway are the writes that delete the annotations of a deferred.
func (j *Janitor) notesAway(ctx context.Context, id deferred.ID) (notes []driver.Write) {
	for e, err := range j.Records.Store.List(ctx, driver.Query{Space: driver.Notes, Prefix: string(id) + "."}) {
		if err != nil {
			break
		}
		notes = append(notes, driver.Write{Key: e.Key, Expect: e.Revision, Delete: true})
	}
	return notes
}
