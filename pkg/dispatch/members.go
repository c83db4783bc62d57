package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"zasync/pkg/deferred"
)

const (
	// maxAttached bounds what others can add to a record. Who cannot be attached
	// looks from time to time, and what it waits for may be forgotten before.
	maxAttached = 4000
	// maxGone bounds what is left in a record of those that have waited for it.
	maxGone = 64
	// fewMembers are looked at more cheaply than it is noted that they are attached.
	fewMembers = 8
)

// attachAll makes those that a deferred waits for know of it: they are kept from
// then on, and wake it. full says that some could not take it in.
func (f *feed) attachAll(ctx context.Context, h *holding) (full bool, err error) {
	w := h.record.Waits
	for chunk := range slices.Chunk(w.On[w.Attached:], readAtOnce) {
		lacking, err := f.attach(ctx, h, chunk, waiterOf(h.record))
		if err != nil {
			return false, err
		}
		full = full || lacking
	}
	if full || len(w.On) <= fewMembers || w.Attached == len(w.On) {
		return full, nil
	}
	r := h.record.Clone()
	r.Waits.Attached = len(w.On)
	return false, h.write(ctx, &r, time.Time{})
}

// waiterOf is what a waiting deferred leaves in the records of those that it
// waits for: it is woken by what decides, or by nothing as long as it listens to
// another one.
func waiterOf(r *deferred.Record) deferred.RecordedCallback {
	c := deferred.RecordedCallback{ID: r.ID, Waiter: true, On: deferred.OnBoth}
	switch r.Waits.Mode {
	case deferred.JoinAll:
		c.On = deferred.OnFailure
	case deferred.JoinAny:
		c.On = deferred.OnSuccess
	case deferred.JoinAllSettled:
		c.Fired = true
	}
	return c
}

// attach adds the entry of a deferred to each record that does not have it. One
// that has settled needs to wake nobody, and is only kept, with what its result
// is made of. An entry that is marked as settled is of an earlier deferred of the
// same id.
//
// The deferred's own record is read between the reading of the others and their
// writing: a worker that is slow must not attach what has settled meanwhile, since
// nobody would take that entry away. Who lets go writes each of the others too.
func (f *feed) attach(ctx context.Context, h *holding, ids []deferred.ID, entry deferred.RecordedCallback) (full bool, err error) {
	referring := map[deferred.ID]*deferred.Record{}
	err = f.changeRecords(ctx, ids, func() error { return f.stillOpen(ctx, h) }, func(r *deferred.Record) bool {
		old := r.Attached(entry.ID)
		switch {
		case old == nil && len(r.Callbacks) >= maxAttached:
			full = true
			return false
		case old != nil && old.Settled && !old.Waiter:
			return false
		}
		if mayHaveLetGo(r) {
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
	for _, r := range referring {
		if err == nil {
			err = f.align(ctx, r)
		}
	}
	return full, err
}

// stillOpen is ErrConflict if the deferred has settled since it was looked at, or
// has been forgotten.
func (f *feed) stillOpen(ctx context.Context, h *holding) error {
	r, _, err := f.readRecord(ctx, h.delivery.ID)
	if err == nil && (r == nil && h.record != nil || settled(r)) {
		return ErrConflict
	}
	return err
}

// listen makes one member wake the deferred, however it settles; settled says
// that it has.
func (f *feed) listen(ctx context.Context, member, waiter deferred.ID) (settled bool, err error) {
	err = f.changeRecords(ctx, []deferred.ID{member}, nil, func(r *deferred.Record) bool {
		settled = r.State.Settled()
		e := r.Attached(waiter)
		if settled || e == nil || e.Settled || e.On == deferred.OnBoth && !e.Fired {
			return false
		}
		e.On, e.Fired = deferred.OnBoth, false
		return true
	})
	return settled, err
}

// letGo marks the entries of a deferred in others as settled. What its result is
// made of is told until when that is needed.
func (f *feed) letGo(ctx context.Context, others []deferred.ID, id deferred.ID, needed time.Time) error {
	for chunk := range slices.Chunk(others, readAtOnce) {
		var idle []Message
		err := f.changeRecords(ctx, chunk, nil, func(r *deferred.Record) bool {
			changed := unpin(r, id)
			if settled(r) && needed.After(r.Needed) {
				r.Needed, changed = needed, true
				r.Holds = r.ResultOf != "" // its own sources have to be told once more
			}
			if done(r) { // also when it was marked before: whoever did so may have died then
				idle = append(idle, wakeOf(r.ID, id))
			}
			return changed
		})
		if err != nil {
			return err
		}
		if err := f.putAll(ctx, idle); err != nil {
			return err
		}
	}
	return nil
}

// unpin lets a record know that a deferred does not need it any more. The entry
// of one that waited for it goes, so that a record that stays open for long does
// not grow with all that have ever waited for it; of one that has settled it
// stays, marked, for those who look at what came of it. The record is to be
// written also if there is no such entry: a worker that is slow may be about to
// attach the deferred still, and must not succeed.
func unpin(r *deferred.Record, id deferred.ID) (write bool) {
	i := slices.IndexFunc(r.Callbacks, func(c deferred.RecordedCallback) bool { return c.ID == id })
	switch {
	case i < 0:
		return true
	case !r.Callbacks[i].Waiter:
		write = !r.Callbacks[i].Settled
	case !r.State.Settled():
		r.Callbacks = slices.Delete(r.Callbacks, i, i+1)
		return true
	default:
		write = true
	}
	r.Callbacks[i].Fired, r.Callbacks[i].Settled = true, true
	forgetWaiters(r)
	return write
}

// forgetWaiters takes away the oldest of very many that have waited for a record.
func forgetWaiters(r *deferred.Record) {
	gone := 0
	for i := range r.Callbacks {
		if c := &r.Callbacks[i]; c.Waiter && c.Settled {
			gone++
		}
	}
	r.Callbacks = slices.DeleteFunc(r.Callbacks, func(c deferred.RecordedCallback) bool {
		if gone <= maxGone || !c.Waiter || !c.Settled {
			return false
		}
		gone--
		return true
	})
}

// done: all that hangs on a settled record has settled as well, and only now it
// can let go of what its result is made of.
func done(r *deferred.Record) bool {
	return r.State.Settled() && (holdsMembers(r) || r.Holds) && idle(r)
}

// changeRecords changes records, each by a compare-and-set of its own, until all
// are as change wants them. A record that is not there is given as a stub.
// change may be called for a record several times. Nothing is written unless fence,
// if there is one, is nil after the reading.
func (f *feed) changeRecords(ctx context.Context, ids []deferred.ID, fence func() error, change func(*deferred.Record) bool) error {
	for wait := 5 * time.Millisecond; len(ids) > 0; wait = min(2*wait, time.Second) {
		entries, err := f.store.Read(ctx, recordKeys(ids))
		if err != nil {
			return fmt.Errorf("dispatch: read records: %w", err)
		}
		var writes []Write
		for i, e := range entries {
			r, _, err := decodeRecord(e)
			if err != nil {
				return err
			}
			if r == nil {
				r = &deferred.Record{ID: ids[i], State: deferred.Pending}
			}
			if !change(r) {
				continue
			}
			w, err := f.writeOf(r, e.Revision, 0)
			if err != nil {
				return err
			}
			writes = append(writes, w)
		}
		if fence != nil && len(writes) > 0 {
			if err := fence(); err != nil {
				return err
			}
		}
		ids = ids[:0:0]
		for i, w := range f.store.Write(ctx, writes) {
			switch {
			case errors.Is(w.Err, ErrConflict), errors.Is(w.Err, ErrUnknown):
				ids = append(ids, deferred.ID(writes[i].Name))
			case w.Err != nil:
				return fmt.Errorf("dispatch: write record %s: %w", writes[i].Name, w.Err)
			}
		}
		if len(ids) > 0 {
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
	}
	return nil
}

func recordKeys(ids []deferred.ID) []Key {
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i] = recordKey(id)
	}
	return keys
}

// readRecords gives a record for each id; nil for one that is not there.
func (q *Queue) readRecords(ctx context.Context, ids []deferred.ID) ([]*deferred.Record, error) {
	entries, err := q.store.Read(ctx, recordKeys(ids))
	if err != nil {
		return nil, fmt.Errorf("dispatch: read records: %w", err)
	}
	records := make([]*deferred.Record, len(ids))
	for i, e := range entries {
		if records[i], _, err = decodeRecord(e); err != nil {
			return nil, err
		}
	}
	return records, nil
}
