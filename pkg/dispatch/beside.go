package dispatch

import (
	"context"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
)

// maxAbove is how many levels up somebody is looked for who takes a failure on.
const maxAbove = 16

// takenBeside reports whether a failure that a callback passes through, because it
// is for the other branch, is taken on by something else: beside the callback on
// its parent or, when that has passed it through itself, beside the parent in turn.
// Then it is no news there, however many levels it comes down.
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

// takenBy reports whether something that hangs on a failed record, apart from one,
// takes the failure on.
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
