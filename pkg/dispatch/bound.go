package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
)

// bound keeps the settled records below their number: of those that succeeded
// and that nothing needs any more, nor the result of another one is made of, the
// oldest go before their time. It makes
// some room at once, since it has to read everything to find them.
func (f *feed) bound(ctx context.Context) {
	n, err := f.store.Count(ctx, Records)
	if err != nil || n <= f.config.MaxRecords {
		return
	}
	settled, room, now := 0, f.config.MaxRecords/20, f.clock.now()
	var oldest []Write
	for e, err := range f.store.List(ctx, Query{Space: Records}) {
		if err != nil {
			return
		}
		r, revision, err := decodeRecord(e)
		if err != nil || !r.State.Settled() {
			continue
		}
		settled++
		if r.State == deferred.Succeeded && f.retention(r) > 0 && !r.Needed.After(now) && len(oldest) < n-f.config.MaxRecords+room {
			oldest = append(oldest, Write{Key: e.Key, Expect: revision, Delete: true})
		}
	}
	if excess := settled - f.config.MaxRecords; excess > 0 { // the count has what is open in it, and what is deleted
		f.forget(ctx, oldest[:min(len(oldest), excess+room)])
	}
}

// forget deletes records with their annotations. One that was written meanwhile
// is needed again.
func (f *feed) forget(ctx context.Context, records []Write) {
	began, gone := time.Now(), 0
	for len(records) > 0 && ctx.Err() == nil {
		chunk := records[:min(len(records), readAtOnce)]
		records = records[len(chunk):]
		for i, w := range f.store.Write(ctx, chunk) {
			if w.Err == nil {
				gone++
				f.forgetNotes(ctx, deferred.ID(chunk[i].Name))
			}
		}
	}
	f.log.Info("oldest records forgotten", "count", gone, "took", time.Since(began).Round(time.Millisecond).String())
}

func (f *feed) forgetNotes(ctx context.Context, id deferred.ID) {
	var notes []Write
	for e, err := range f.store.List(ctx, Query{Space: Notes, Prefix: string(id) + "."}) {
		if err != nil {
			return
		}
		notes = append(notes, Write{Key: e.Key, Expect: e.Revision, Delete: true})
	}
	f.store.Write(ctx, notes) // those that stay have a time to live of their own
}
