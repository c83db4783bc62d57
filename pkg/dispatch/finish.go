package dispatch

import (
	"context"
	"errors"

	"zasync/pkg/deferred"
)

// finish does what a settled record still owes: its callbacks are put and
// marked, its parent learns that it needs it no longer, and after a cancel its
// schedule goes. Every step may have been done before; none harms when it is
// done again.
func (f *feed) finish(ctx context.Context, h *holding) error {
	for h.record.Unfired() {
		fired, err := f.fire(ctx, h.record)
		if err != nil {
			return err
		}
		if err := f.amend(ctx, h, func(r *deferred.Record) { markFired(r, fired) }); err != nil {
			return err
		}
	}
	if p := h.record.Parent; p != nil && !p.Released {
		if err := f.tellParent(ctx, p.ID, h.delivery.ID); err != nil {
			return err
		}
		if err := f.amend(ctx, h, func(r *deferred.Record) { r.Parent.Released = true }); err != nil {
			return err
		}
	}
	if h.record.Seen && (h.delivery.Route == Commands || h.record.State == deferred.Cancelled) {
		return f.broker.Remove(ctx, h.delivery.ID)
	}
	return nil
}

// fire puts a message for each callback that is not marked. A callback on the
// branch that was not taken goes to the housekeeping, which settles it with
// this outcome: nobody may be there who performs calls of its name.
func (f *feed) fire(ctx context.Context, r *deferred.Record) (fired map[deferred.ID]bool, err error) {
	fired = map[deferred.ID]bool{}
	for i := range r.Callbacks {
		cb := &r.Callbacks[i]
		if cb.Fired {
			continue
		}
		call := cb.Call
		call.ID, call.After = cb.ID, &deferred.After{Parent: r.ID, On: cb.On}
		route := routeOf(&call)
		if !cb.On.Takes(r.State) {
			route = Later
		}
		m, err := message(&call, route)
		if err != nil {
			return nil, err
		}
		if err := f.put(ctx, m); err != nil {
			return nil, err
		}
		fired[cb.ID] = true
	}
	return fired, nil
}

func markFired(r *deferred.Record, fired map[deferred.ID]bool) {
	for i := range r.Callbacks {
		if fired[r.Callbacks[i].ID] {
			r.Callbacks[i].Fired = true
		}
	}
}

// amend changes the marks of a settled record, whatever others add to it. A
// record that is gone has been forgotten: there is nothing left to mark.
func (f *feed) amend(ctx context.Context, h *holding, change func(*deferred.Record)) error {
	for h.record != nil {
		r := h.record.Clone()
		change(&r)
		err := h.write(ctx, &r, r.Settled)
		if err == nil {
			return nil
		}
		if !errors.Is(err, ErrConflict) && !errors.Is(err, ErrUnknown) {
			return err
		}
		back, revision, err := f.readBack(ctx, r.ID)
		if err != nil {
			return err
		}
		if back == nil {
			return nil
		}
		h.record, h.revision = back, revision
	}
	return nil
}

// tellParent marks a callback as settled in its parent's record, which may be
// forgotten once all of them are.
func (f *feed) tellParent(ctx context.Context, parent, child deferred.ID) error {
	h := &holding{feed: f}
	var err error
	if h.record, h.revision, err = f.readRecord(ctx, parent); err != nil || h.record == nil || !attached(h.record, child) {
		return err
	}
	return f.amend(ctx, h, func(r *deferred.Record) {
		for i := range r.Callbacks {
			if r.Callbacks[i].ID == child {
				r.Callbacks[i].Fired, r.Callbacks[i].Settled = true, true
			}
		}
	})
}
