package dispatch

import (
	"context"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
)

// maxAbove is how many levels up takenBeside looks for a dependent that handles a
// failure.
const maxAbove = 16

// takenBeside reports whether another dependent handles a failure that a callback
// passes through, because the callback is for the other branch. It looks beside the
// callback on its parent. If the parent has passed the failure through too, it looks
// beside the parent in turn. If it finds one, the callback counts as handled, however
// many levels down it is.
func (f *feed) takenBeside(ctx context.Context, id deferred.ID, parent *deferred.Record) (bool, error) {
	for range maxAbove {
		taken, err := f.takenBy(ctx, parent, id)
		if taken || err != nil || !parent.Skipped || parent.Parent == nil {
			return taken, err
		}
		id = parent.ID
		above, err := f.records.Read(ctx, parent.Parent.ID)
		if err != nil || above.Record == nil {
			return false, err
		}
		parent = above.Record
	}
	return false, nil
}

// takenBy reports whether a callback or waiter of a failed record handles the failure.
// The dependent with the id apart does not count.
func (f *feed) takenBy(ctx context.Context, r *deferred.Record, apart deferred.ID) (bool, error) {
	if r.State != deferred.Failed && r.State != deferred.Expired {
		return false, nil
	}
	var waiters []deferred.ID
	for i := range r.Callbacks {
		switch cb := &r.Callbacks[i]; {
		case cb.ID == apart:
		case cb.Waiter && len(waiters) < records.ReadAtOnce:
			waiters = append(waiters, cb.ID)
		case !cb.Waiter && cb.Takes(r):
			return true, nil
		}
	}
	if len(waiters) == 0 {
		return false, nil
	}
	records, err := f.records.ReadAll(ctx, waiters)
	for _, w := range records {
		if w != nil && protocol.WaiterTakes(w, r) {
			return true, nil
		}
	}
	return false, err
}
