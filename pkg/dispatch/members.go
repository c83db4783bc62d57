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

// attachAll makes those that a deferred waits for know of it: they are kept from
// then on, and wake it. full says that some could not take it in. That they know of
// it already the leader says, if latest; else any replica does.
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

// unattached are those of the ids that do not know of the deferred, as it seems.
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

// attach adds the entry of a deferred to each record that does not have it. One
// that has settled needs to wake nobody, and is only kept, with what its result
// is made of. An entry that is marked as settled is of an earlier deferred of the
// same id.
//
// The deferred's own record is read, as the leader has it, between the reading of the
// others and their writing: a worker that is slow must not attach what has settled meanwhile, since
// nobody would take that entry away. Who lets go writes each of the others too.
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
	if errors.As(err, &lacking) { // the server takes less than we reckon with
		h.looksWithin(deferred.MinKeep / 2)
		full, err = true, nil
	}
	if err != nil {
		return full, err
	}
	return full, f.align(ctx, slices.Collect(maps.Values(referring))...)
}

// looksWithin has a deferred that is not noted where it waits look so often at least.
func (h *holding) looksWithin(d time.Duration) {
	if h.looks == 0 || d < h.looks {
		h.looks = d
	}
}

// stillOpen is ErrConflict if the deferred has settled since it was looked at, or
// has been forgotten.
func (f *feed) stillOpen(ctx context.Context, h *holding) error {
	now, err := f.records.ReadLatest(ctx, h.delivery.ID)
	if err == nil && (now.Record == nil && h.Record != nil || protocol.IsSettled(now.Record)) {
		h.ahead = true
		return driver.ErrConflict
	}
	return err
}

// listen makes one member wake the deferred, however it settles; settled says
// that it has. entry is what it knows of the deferred: nil, if it does not any more.
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
