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
)

// attachAll attaches a deferred to the members that it waits for. From then on their
// records are kept, and wake it. full says that some records had no room for its entry.
// With latest, the leader says which records have the entry already; without it, any
// replica does.
func (f *feed) attachAll(ctx context.Context, h *holding, latest bool) (full bool, err error) {
	w := h.Record.Waits
	for chunk := range slices.Chunk(w.On[w.Attached:], records.ReadAtOnce) {
		if !latest {
			if chunk, err = f.unattached(ctx, h.Record.ID, chunk); err != nil {
				return false, err
			}
		}
		lacking, err := f.attach(ctx, h, chunk, protocol.WaiterOf(h.Record))
		if err != nil {
			return false, err
		}
		full = full || lacking
	}
	if full || !latest || len(w.On) <= protocol.FewMembers || w.Attached == len(w.On) {
		return full, nil
	}
	r := h.Record.Clone()
	r.Waits.Attached = len(w.On)
	return false, h.write(ctx, &r, time.Time{})
}

// unattached gives the ids whose records seem to lack the entry of the waiter. Any replica
// answers.
func (f *feed) unattached(ctx context.Context, waiter deferred.ID, ids []deferred.ID) ([]deferred.ID, error) {
	records, err := f.records.ReadAll(ctx, ids)
	if err != nil {
		return nil, err
	}
	var lacking []deferred.ID
	for i, r := range records {
		if r == nil || r.Attached(waiter) == nil || r.Attached(waiter).Settled {
			lacking = append(lacking, ids[i])
		}
	}
	return lacking, nil
}

// attach adds the entry of a deferred to each record that lacks it. A settled record wakes
// no waiter: it is only kept, with the sources of its result. An entry that is marked as
// settled is of an earlier deferred of the same id.
//
// Between the reading of those records and their writing, attach reads the deferred's own
// record from the leader. A slow worker must not attach a deferred that has settled
// meanwhile, since no worker would delete that entry. A worker that detaches a deferred
// writes each of those records too.
func (f *feed) attach(ctx context.Context, h *holding, ids []deferred.ID, entry deferred.RecordedCallback) (full bool, err error) {
	referring := map[deferred.ID]*deferred.Record{}
	err = f.records.Change(ctx, ids, func() error { return f.stillOpen(ctx, h) }, func(r *deferred.Record) bool {
		old := r.Attached(entry.ID)
		switch {
		case old == nil && !protocol.HasRoom(r):
			full = true
			h.looksWithin(f.records.Keeping.LeastKept(r) / 2)
			return false
		case old != nil && old.Settled && !old.Waiter:
			return false
		}
		if protocol.MaybeDetached(r) {
			referring[r.ID] = r
		}
		e := entry
		e.Fired = e.Fired || r.State.Settled()
		switch {
		case old == nil:
			r.Callbacks = append(r.Callbacks, e)
		case old.Settled:
			*old = e
		default:
			return false
		}
		r.Holds = r.ResultOf != ""
		return true
	})
	var lacking *records.FullError
	if errors.As(err, &lacking) { // the limit of the server is below the one that we expect
		h.looksWithin(deferred.MinKeep / 2)
		full, err = true, nil
	}
	if err != nil {
		return full, err
	}
	return full, f.align(ctx, slices.Collect(maps.Values(referring))...)
}

// looksWithin makes a deferred look at least so often. It is for a deferred without an
// entry in a record that it waits for.
func (h *holding) looksWithin(d time.Duration) {
	if h.looks == 0 || d < h.looks {
		h.looks = d
	}
}

// stillOpen is ErrConflict if the deferred has settled since this worker looked at it, or
// if its record has been forgotten.
func (f *feed) stillOpen(ctx context.Context, h *holding) error {
	now, err := f.records.ReadLatest(ctx, h.delivery.ID)
	if err == nil && (now.Record == nil && h.Record != nil || protocol.IsSettled(now.Record)) {
		h.ahead = true
		return driver.ErrConflict
	}
	return err
}

// listen makes one member wake the deferred with any outcome. settled says that the member
// has settled. entry is the deferred's entry in the member's record, or nil if there is
// none any more.
func (f *feed) listen(ctx context.Context, member, waiter deferred.ID) (settled bool, entry *deferred.RecordedCallback, err error) {
	err = f.records.Change(ctx, []deferred.ID{member}, nil, func(r *deferred.Record) bool {
		settled = r.State.Settled()
		entry = r.Attached(waiter)
		if settled || entry == nil || entry.Settled || !entry.Waiter || entry.On == deferred.OnBoth && !entry.Fired {
			return false
		}
		entry.On, entry.Fired = deferred.OnBoth, false
		return true
	})
	return settled, entry, err
}
