package dispatch

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
)

// finish does what a settled record still owes: what hangs on it is fired and
// marked, a cancel passes on to what it waited for, its parent and those that it
// waited for learn that it needs them no longer, a failure that nobody took on is
// listed, and after a command its schedule goes. Every step may have been done
// before; none harms when it is done again.
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
	if err := f.finishWaiting(ctx, h); err != nil {
		return err
	}
	if err := f.listed(ctx, h); err != nil {
		return err
	}
	return f.disarm(ctx, h)
}

// disarm removes the schedules that have become meaningless: of a call that was
// settled without it, and of the time when a deferred would have stopped waiting.
// What is left fires into nothing.
func (f *feed) disarm(ctx context.Context, h *holding) error {
	r := h.record
	if !waitLimit(r).IsZero() {
		if err := f.broker.Remove(ctx, alarmID(r.ID)); err != nil {
			return err
		}
	}
	if r.Seen && (h.delivery.Route == Commands || r.State == deferred.Cancelled) {
		return f.broker.Remove(ctx, r.ID)
	}
	return nil
}

// finishWaiting lets go of what the deferred waited for. A join whose result is
// in the records of its members keeps them until all that hangs on it has settled.
func (f *feed) finishWaiting(ctx context.Context, h *holding) error {
	r := h.record
	if !holdsMembers(r) {
		return nil
	}
	if err := f.passCancel(ctx, r); err != nil {
		return err
	}
	var keep time.Duration
	if r.ResultOf == r.ID {
		if !done(r) {
			return nil
		}
		keep = f.kept(r)
	}
	if err := f.letGo(ctx, h, keep); err != nil {
		return err
	}
	return f.amend(ctx, h, func(r *deferred.Record) { r.Waits.Released = true })
}

// fire puts a message for each callback that is not marked, and wakes those that
// wait. A callback on the branch that was not taken goes to the housekeeping,
// which settles it with this outcome: nobody may be there who performs calls of
// its name.
func (f *feed) fire(ctx context.Context, r *deferred.Record) (fired map[deferred.ID]bool, err error) {
	fired = map[deferred.ID]bool{}
	var messages []Message
	for i := range r.Callbacks {
		cb := &r.Callbacks[i]
		switch {
		case cb.Fired || cb.Settled:
			continue
		case !cb.Waiter:
			m, err := firedCall(r, cb)
			if err != nil {
				return nil, err
			}
			messages = append(messages, m)
		case cb.Takes(r):
			messages = append(messages, wakeOf(cb.ID, r.ID))
		}
		fired[cb.ID] = true
	}
	return fired, f.putAll(ctx, messages)
}

func firedCall(r *deferred.Record, cb *deferred.RecordedCallback) (Message, error) {
	call := cb.Call
	route := routeOf(&call)
	if !cb.Takes(r) {
		route = Later
	}
	call.ID, call.After = cb.ID, &deferred.After{Parent: r.ID, On: cb.On, Kinds: cb.Kinds}
	return message(&call, route)
}

func markFired(r *deferred.Record, fired map[deferred.ID]bool) {
	for i := range r.Callbacks {
		if fired[r.Callbacks[i].ID] {
			r.Callbacks[i].Fired = true
		}
	}
}

// amend changes the marks of a settled record, whatever others add to it. A
// record that is gone has been forgotten: the marks are made here only, so that
// each step is done once.
func (f *feed) amend(ctx context.Context, h *holding, change func(*deferred.Record)) error {
	for {
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
			h.record = &r
			return nil
		}
		h.record, h.revision = back, revision
	}
}

// tellParent marks a callback as settled in its parent's record, which may be
// forgotten once all of them are.
func (f *feed) tellParent(ctx context.Context, parent, child deferred.ID) error {
	last := false
	err := f.changeRecords(ctx, []deferred.ID{parent}, 0, func(r *deferred.Record) bool {
		marked := settle(r, child)
		last = done(r) // also when it was marked before: whoever did so may have died then
		return marked
	})
	if err != nil || !last {
		return err
	}
	return f.put(ctx, wakeOf(parent, child))
}

// pin notes a callback in the record of its parent that has settled already,
// which then is kept until the callback has settled too.
func (f *feed) pin(ctx context.Context, h *holding) error {
	p := h.parent
	if p == nil || !p.State.Settled() || h.record != nil && h.record.State.Settled() || p.Attached(h.delivery.ID) != nil {
		return nil
	}
	_, err := f.attach(ctx, []deferred.ID{p.ID}, deferred.RecordedCallback{On: h.call.After.On, ID: h.delivery.ID, Waiter: true})
	return err
}
