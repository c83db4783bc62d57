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
	// fewMembers are looked at more cheaply than it is noted that they are attached.
	fewMembers = 8
)

// attachAll makes those that a deferred waits for know of it: they are kept from
// then on, and wake it. full says that some could not take it in.
func (f *feed) attachAll(ctx context.Context, h *holding) (full bool, err error) {
	w := h.record.Waits
	for chunk := range slices.Chunk(w.On[w.Attached:], readAtOnce) {
		lacking, err := f.attach(ctx, chunk, waiterOf(h.record))
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

// attach adds an entry to each record that does not have it. One that has
// settled needs to wake nobody, and is only kept.
func (f *feed) attach(ctx context.Context, ids []deferred.ID, entry deferred.RecordedCallback) (full bool, err error) {
	err = f.changeRecords(ctx, ids, func(r *deferred.Record) bool {
		switch {
		case r.Attached(entry.ID) != nil:
			return false
		case len(r.Callbacks) >= maxAttached:
			full = true
			return false
		}
		e := entry
		e.Fired = e.Fired || r.State.Settled()
		r.Callbacks = append(r.Callbacks, e)
		return true
	})
	return full, err
}

// listen makes one member wake the deferred, however it settles; settled says
// that it has.
func (f *feed) listen(ctx context.Context, member, waiter deferred.ID) (settled bool, err error) {
	err = f.changeRecords(ctx, []deferred.ID{member}, func(r *deferred.Record) bool {
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

// letGo marks the deferred's entries in those that it waited for as settled.
// They are kept for keep at least: what was made of them may still refer to them.
// Their records say so, for they may be written again.
func (f *feed) letGo(ctx context.Context, h *holding, keep time.Duration) error {
	for chunk := range slices.Chunk(h.record.Waits.On, readAtOnce) {
		var idle []Message
		err := f.changeRecords(ctx, chunk, func(r *deferred.Record) bool {
			marked := unpin(r, h.record.ID)
			if marked && keep > 0 && r.State.Settled() {
				r.Keep = max(f.kept(r), wholeSeconds(f.clock.now().Sub(r.Settled)+keep))
			}
			if done(r) { // also when it was marked before: whoever did so may have died then
				idle = append(idle, wakeOf(r.ID, h.record.ID))
			}
			return marked
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

// unpin marks the entry of a deferred that does not need the record any more.
// It leaves a marked one also where there is none: a worker that is slow may be
// about to attach the deferred still, and nobody would mark that entry ever.
func unpin(r *deferred.Record, id deferred.ID) (changed bool) {
	e := r.Attached(id)
	switch {
	case e == nil && len(r.Callbacks) < maxAttached:
		r.Callbacks = append(r.Callbacks, deferred.RecordedCallback{ID: id, Waiter: true, On: deferred.OnBoth, Fired: true, Settled: true})
	case e == nil || e.Settled:
		return false
	default:
		e.Fired, e.Settled = true, true
	}
	return true
}

// done: all that hangs on a join has settled, and only now it can let go of its
// members, to whose results its own refers.
func done(r *deferred.Record) bool {
	return r.State.Settled() && holdsMembers(r) && !slices.ContainsFunc(r.Callbacks, func(c deferred.RecordedCallback) bool { return !c.Settled })
}

// changeRecords changes records, each by a compare-and-set of its own, until all
// are as change wants them. A record that is not there is given as a stub.
// change may be called for a record several times.
func (f *feed) changeRecords(ctx context.Context, ids []deferred.ID, change func(*deferred.Record) bool) error {
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
