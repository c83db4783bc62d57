package dispatch

import (
	"context"
	"slices"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/records"
)

// cycleReads bounds the search for cycles. What is larger is no mistake that
// somebody makes by hand.
const cycleReads = 50_000

// circular reports whether a waiting deferred is among what it waits for. It is
// asked after the record says that it waits: of two that begin to wait for one
// another at the same time, one at least sees it, if the leader tells what waits.
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

// appendUnseen adds what those of the records wait for that wait still.
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
