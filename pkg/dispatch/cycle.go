package dispatch

import (
	"context"
	"slices"

	"zasync/pkg/deferred"
)

// Limits of the search for cycles. What is wider or deeper is no mistake that
// somebody makes by hand.
const (
	cycleWidth = 64
	cycleReads = 1000
)

// circular reports whether a waiting deferred is among what it waits for. It is
// asked after the record says that it waits: of two that begin to wait for one
// another at the same time, one at least sees it.
func (f *feed) circular(ctx context.Context, r *deferred.Record) (bool, error) {
	seen := map[deferred.ID]bool{}
	next := narrow(r.Waits)
	for reads := 0; len(next) > 0 && reads < cycleReads; reads += len(next) {
		if slices.Contains(next, r.ID) {
			return true, nil
		}
		records, err := f.readRecords(ctx, next)
		if err != nil {
			return false, err
		}
		next = nil
		for _, m := range records {
			if m == nil || m.State != deferred.Waiting || m.Waits == nil {
				continue
			}
			for _, id := range narrow(m.Waits) {
				if !seen[id] {
					seen[id] = true
					next = append(next, id)
				}
			}
		}
	}
	return false, nil
}

func narrow(w *deferred.Waits) []deferred.ID { return w.On[:min(len(w.On), cycleWidth)] }
