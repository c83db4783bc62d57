package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
	"zasync/pkg/dispatch/internal/wire"
)

// letGo detaches a deferred from others that it does not need any more, and gives the
// state of each at that time. A source of its result also learns until when the deferred
// needs it, and is written in any case: see align.
func (f *feed) letGo(ctx context.Context, others []deferred.ID, id deferred.ID, needed time.Time) (map[deferred.ID]protocol.Member, error) {
	members := map[deferred.ID]protocol.Member{}
	for chunk := range slices.Chunk(others, records.ReadAtOnce) {
		wakes := map[deferred.ID]driver.Message{}
		change := func(r *deferred.Record) bool {
			members[r.ID] = protocol.MemberOf(r, id)
			changed := protocol.DetachEntry(r, id) || protocol.IsSettled(r) && !needed.IsZero()
			if protocol.IsSettled(r) && needed.After(r.Needed) {
				r.Needed, changed = needed, true
				r.Holds = r.ResultOf != "" // its own sources must learn the new time too
			}
			if protocol.AllSettled(r) { // also if the entry was marked before: that worker may have died before the wake
				wakes[r.ID] = wire.WakeMessage(r.ID, id, 0)
			}
			return changed
		}
		err := f.records.Change(ctx, chunk, nil, change)
		var full *records.FullError
		if errors.As(err, &full) {
			err = f.records.Change(ctx, full.IDs, nil, func(r *deferred.Record) bool {
				change(r)
				protocol.Lighten(r)
				return true
			})
		}
		if errors.As(err, &full) { // the record is kept for ever, which is better than to try for ever
			f.log.Error("record is too large to be told that it is needed no longer", "id", full.IDs[0], "err", err)
			err = nil
		}
		if err != nil {
			return nil, err
		}
		if err := f.records.PutAll(ctx, slices.Collect(maps.Values(wakes))); err != nil {
			return nil, err
		}
	}
	return members, nil
}
