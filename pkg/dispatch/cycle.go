package dispatch

import (
	"context"
	"slices"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/records"
)

// cycleReads bounds the search for cycles. A person does not make a larger cycle by
// hand.
const cycleReads = 50_000

// circular reports whether a waiting deferred is, directly or not, among those that it
// waits for. The caller asks after the record says that the deferred waits. If two
// deferreds begin to wait for one another at the same time, at least one then sees the
// cycle. For this the leader must answer for the deferreds that wait.
func (f *feed) circular(ctx context.Context, r *deferred.Record) (bool, error) {
	seen := map[deferred.ID]bool{}
	for next := r.Waits.On; len(next) > 0 && len(seen) < cycleReads; {
		if slices.Contains(next, r.ID) {
			return true, nil
		}
		var further []deferred.ID
		for chunk := range slices.Chunk(next, records.ReadAtOnce) {
			seenNow, err := f.records.ReadOpenLatest(ctx, chunk)
			if err != nil {
				return false, err
			}
			further = appendUnseen(further, records.RecordsOf(seenNow), seen)
		}
		next = further
	}
	return false, nil
}

// appendUnseen adds the members of the records that still wait, without the ids seen
// before.
func appendUnseen(ids []deferred.ID, records []*deferred.Record, seen map[deferred.ID]bool) []deferred.ID {
	for _, m := range records {
		if m == nil || m.State != deferred.Waiting || m.Waits == nil {
			continue
		}
		for _, id := range m.Waits.On {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	return ids
}
