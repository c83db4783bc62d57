package dispatch

import (
	"context"
	"slices"

	"zasync/pkg/deferred"
)

// passCancel has those cancelled that nobody else waits for: of a cancelled
// deferred what it waited for, of an adopter also when it expires, and of a join
// that was told to the losers.
func (f *feed) passCancel(ctx context.Context, r *deferred.Record) error {
	w := r.Waits
	passes := r.State == deferred.Cancelled || w.CancelRest ||
		r.State == deferred.Expired && w.Mode == deferred.AdoptInner
	if !passes {
		return nil
	}
	for chunk := range slices.Chunk(w.On, readAtOnce) {
		records, err := f.readRecords(ctx, chunk)
		if err != nil {
			return err
		}
		var cancels []Message
		for _, m := range records {
			if m != nil && !m.State.Settled() && !wantedByOthers(m, r.ID) {
				c, err := commandMessage(deferred.Command{Verb: deferred.Cancel, ID: m.ID, Reason: cancelReason(r)})
				if err != nil {
					return err
				}
				cancels = append(cancels, c)
			}
		}
		if err := f.putAll(ctx, cancels); err != nil {
			return err
		}
	}
	return nil
}

// wantedByOthers: something that did not travel with the call hangs on it, apart
// from the one that waits no more.
func wantedByOthers(m *deferred.Record, waiter deferred.ID) bool {
	for _, cb := range m.Callbacks {
		if cb.Waiter && cb.ID != waiter && !cb.Settled {
			return true
		}
	}
	return false
}

func cancelReason(r *deferred.Record) string {
	switch r.State {
	case deferred.Cancelled:
		if r.Failure != nil {
			return r.Failure.Message
		}
	case deferred.Expired:
		return "its adopter " + string(r.ID) + " has expired"
	}
	return "the join " + string(r.ID) + " has settled without it"
}
