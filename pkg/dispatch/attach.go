package dispatch

import (
	"context"
	"slices"

	"zasync/pkg/deferred"
)

// maxAttached bounds what others can add to a record. A callback beyond it
// still runs, if its parent is not forgotten before.
const maxAttached = 1000

// attach notes a callback that came by itself in its parent's record, which then
// is kept until the callback has settled.
func (f *feed) attach(ctx context.Context, h *holding) error {
	if h.parent == nil || h.record != nil && h.record.State.Settled() ||
		attached(h.parent, h.delivery.ID) || len(h.parent.Callbacks) >= maxAttached {
		return nil
	}
	p := &holding{feed: f}
	var err error
	if p.record, p.revision, err = f.readRecord(ctx, h.parent.ID); err != nil || p.record == nil {
		return err
	}
	call := deferred.Call{Name: h.call.Name, Queue: h.call.Queue}
	err = f.amend(ctx, p, func(r *deferred.Record) {
		if !attached(r, h.delivery.ID) {
			r.Callbacks = append(r.Callbacks, deferred.RecordedCallback{On: h.call.After.On, ID: h.delivery.ID, Call: call, Fired: true})
		}
	})
	h.parent = p.record
	return err
}

func attached(parent *deferred.Record, id deferred.ID) bool {
	return slices.ContainsFunc(parent.Callbacks, func(c deferred.RecordedCallback) bool { return c.ID == id })
}
