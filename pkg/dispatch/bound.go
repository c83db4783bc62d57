package dispatch

import (
	"context"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
)

// bound keeps the settled records below their number: of those that nothing needs
// any more, nor the result of another one is made of, the oldest that succeeded go before their time, and when these are too
// few the oldest of the others. It makes some room at once, since it has to read
// everything to find them.
func (f *feed) bound(ctx context.Context) {
	n, err := f.records.Store.Count(ctx, driver.Records)
	if err != nil || n <= f.config.MaxRecords {
		return
	}
	room, now := f.config.MaxRecords/20, f.records.Clock.Now()
	settled, limit := 0, n-f.config.MaxRecords+room
	var succeeded, others []forgettable
	for e, err := range f.records.Store.List(ctx, driver.Query{Space: driver.Records}) {
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
		if r.Seen && f.records.Keeping.TTL(r, f.records.Clock.Now()) > 0 && !r.Needed.After(now) && len(*list) < limit {
			*list = append(*list, forgettable{id: r.ID, revision: e.Revision})
		}
	}
	// The count has what is open in it, and what is deleted; and not what has settled
	// since: of what succeeds, no more were listed than the count asks for.
	excess := min(settled, n) - f.config.MaxRecords
	if excess <= 0 {
		return
	}
	gone := succeeded[:min(len(succeeded), excess+room)]
	if excess > len(gone) {
		gone = append(gone, others[:min(len(others), excess+room-len(gone))]...)
	}
	f.forget(ctx, gone)
}

// forgettable is a record that may be deleted.
type forgettable struct {
	id       deferred.ID
	revision uint64
}

// forget deletes records with their annotations. One that was written meanwhile is
// needed again. The annotations are looked for before: those that come later are of
// another deferred under the id. Whoever reads the list of unhandled failures takes
// off what is left there.
func (f *feed) forget(ctx context.Context, old []forgettable) {
	began, gone := time.Now(), 0
	for chunk := range slices.Chunk(old, records.ReadAtOnce) {
		if ctx.Err() != nil {
			break
		}
		writes, notes := make([]driver.Write, len(chunk)), make([][]driver.Write, len(chunk))
		for i, r := range chunk {
			notes[i] = f.notesAway(ctx, r.id)
			writes[i] = driver.Write{Key: records.Key(r.id), Expect: r.revision, Delete: true}
		}
		for i, w := range f.records.Store.Write(ctx, writes) {
			if w.Err != nil {
				continue
			}
			gone++
			f.records.Store.Write(ctx, notes[i]) // those that stay are swept
		}
	}
	f.log.Info("oldest records forgotten", "count", gone, "took", time.Since(began).Round(time.Millisecond).String())
}

// notesAway deletes the annotations of a deferred when it is written.
func (f *feed) notesAway(ctx context.Context, id deferred.ID) (notes []driver.Write) {
	for e, err := range f.records.Store.List(ctx, driver.Query{Space: driver.Notes, Prefix: string(id) + "."}) {
		if err != nil {
			break
		}
		notes = append(notes, driver.Write{Key: e.Key, Expect: e.Revision, Delete: true})
	}
	return notes
}
