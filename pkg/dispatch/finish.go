package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
	"zasync/pkg/dispatch/internal/wire"
)

// finish does what a settled record still owes: what hangs on it is fired and
// marked, a cancel passes on to what it waited for, its parent and those that it
// waited for learn that it needs them no longer (those that its result is made of
// when nothing needs that any more), a failure that nobody took on is
// listed, and after a command its schedule goes. Every step may have been done
// before; none harms when it is done again.
func (f *feed) finish(ctx context.Context, h *holding) error {
	if gone, err := f.owing(ctx, h); gone || err != nil {
		return err
	}
	for h.Record.Unfired() {
		if err := f.stillSettled(ctx, h); err != nil {
			return err
		}
		fired, err := f.fire(ctx, h)
		if err != nil {
			return err
		}
		if err := f.amend(ctx, h, func(r *deferred.Record) { protocol.MarkFired(r, fired) }); err != nil {
			return err
		}
	}
	if err := f.letGoOfRest(ctx, h); err != nil {
		return err
	}
	if err := f.letGoOfSources(ctx, h); err != nil {
		return err
	}
	if err := f.listed(ctx, h); err != nil {
		return err
	}
	if err := f.disarm(ctx, h); err != nil {
		return err
	}
	return f.met(ctx, h)
}

// owing has the record of a settled deferred as the leader has it, if it seems to
// owe something still: a mark that is set is final, but one that is not may have been
// set since it was read, and what is done twice may then be done to what is gone. So
// gone says that the record has been forgotten meanwhile, and owes nothing.
func (f *feed) owing(ctx context.Context, h *holding) (gone bool, err error) {
	if h.Latest || !protocol.Owes(h.Record) {
		return false, nil
	}
	now, err := f.records.ReadLatest(ctx, h.delivery.ID)
	switch {
	case err != nil:
		return false, err
	case now.Record == nil:
		return true, nil
	case !now.Record.State.Settled(): // of another deferred by now
		h.ahead = true
		return false, driver.ErrConflict
	}
	h.Sighting = now
	return false, nil
}

// stillSettled: with an unbroken lease nobody else finishes what this worker does. After
// a gap others may have, and all of it be forgotten: then nothing is fired again.
func (f *feed) stillSettled(ctx context.Context, h *holding) error {
	if f.leases.kept(&h.delivery) {
		return nil
	}
	now, err := f.records.ReadLatest(ctx, h.delivery.ID)
	switch {
	case err != nil:
		return err
	case !protocol.IsSettled(now.Record):
		return errLapsed
	}
	h.Sighting = now
	return nil
}

// disarm removes the schedules that have become meaningless: of a call that was
// settled without it, and of the time when a deferred would have stopped waiting.
// What is left fires into nothing.
func (f *feed) disarm(ctx context.Context, h *holding) error {
	r := h.Record
	if !protocol.WaitLimit(r).IsZero() {
		if err := f.records.Broker.Remove(ctx, wire.AlarmID(r.ID)); err != nil {
			return err
		}
	}
	if r.Seen && (h.delivery.Route == driver.Commands || r.State == deferred.Cancelled || r.Carried) {
		return f.records.Broker.Remove(ctx, r.ID)
	}
	return nil
}

// letGoOfRest lets go of the parent and of what the deferred waited for, but for
// those that its result is made of.
func (f *feed) letGoOfRest(ctx context.Context, h *holding) error {
	r := h.Record
	if !protocol.StillAttached(r) && (r.Parent == nil || r.Parent.Released) {
		return nil
	}
	made := protocol.SetOf(protocol.Sources(r))
	var rest []deferred.ID
	if protocol.StillAttached(r) {
		rest = slices.DeleteFunc(slices.Clone(r.Waits.On), func(id deferred.ID) bool { return made[id] })
	}
	parent := r.Parent != nil && !r.Parent.Released && !made[r.Parent.ID]
	if parent && !slices.Contains(rest, r.Parent.ID) {
		rest = append(rest, r.Parent.ID)
	}
	members, err := f.letGo(ctx, rest, r.ID, time.Time{})
	if err != nil {
		return err
	}
	if protocol.StillAttached(r) && protocol.PassesCancel(r) {
		if err := f.passCancel(ctx, r, members); err != nil {
			return err
		}
	}
	if len(rest) == 0 && r.Holds { // nobody was told anything yet
		return nil
	}
	if !protocol.StillAttached(r) && !parent {
		return nil
	}
	return f.amend(ctx, h, protocol.MarkDetached)
}

// fire puts a message for each callback that is not marked, and wakes those that
// wait. A callback on the branch that was not taken goes to the housekeeping,
// which settles it with this outcome: nobody may be there who performs calls of
// its name.
func (f *feed) fire(ctx context.Context, h *holding) (fired map[deferred.ID]bool, err error) {
	r := h.Record
	fired = map[deferred.ID]bool{}
	var messages []driver.Message
	for i := range r.Callbacks {
		cb := &r.Callbacks[i]
		switch {
		case cb.Fired || cb.Settled:
			continue
		case !cb.Waiter:
			m, err := wire.Fired(r, cb)
			if err != nil {
				return nil, err
			}
			messages = append(messages, m)
		case cb.Takes(r):
			messages = append(messages, wire.WakeMessage(cb.ID, r.ID, h.Revision))
		}
		fired[cb.ID] = true
	}
	return fired, f.putFired(ctx, messages)
}

// amend changes the marks of a settled record, whatever others add to it.
func (f *feed) amend(ctx context.Context, h *holding, change func(*deferred.Record)) error {
	for {
		r := h.Record.Clone()
		change(&r)
		err := h.write(ctx, &r, r.Settled)
		if errors.Is(err, driver.ErrTooLarge) {
			protocol.Lighten(&r)
			err = h.write(ctx, &r, r.Settled)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, driver.ErrConflict) && !errors.Is(err, driver.ErrUnknown) {
			return err
		}
		if err := h.readBackOr(ctx, &r); err != nil || h.Record == &r {
			return err
		}
	}
}

// pin notes a callback in the record of its parent that has settled already,
// which then is kept until the callback has settled too. One that is not to go on
// needs nothing of it.
func (f *feed) pin(ctx context.Context, h *holding, d protocol.Action) error {
	p := h.parent
	switch d {
	case protocol.Claim, protocol.TakeOver, protocol.Park, protocol.Skip, protocol.Expire:
	default:
		return nil
	}
	if p == nil || !p.State.Settled() {
		return nil
	}
	if e := p.Attached(h.delivery.ID); e != nil && (!e.Waiter || !e.Settled && !protocol.MaybeDetached(p)) {
		return nil
	}
	_, err := f.attach(ctx, h, []deferred.ID{p.ID}, deferred.RecordedCallback{On: h.call.After.On, ID: h.delivery.ID, Waiter: true})
	if err == nil {
		var now records.Sighting
		now, err = f.records.ReadLatest(ctx, p.ID)
		h.parent = now.Record
	}
	if err == nil && (!protocol.IsSettled(h.parent) || !h.parent.Settled.Equal(p.Settled)) { // it has been forgotten, and its id may be another one's
		return driver.ErrConflict
	}
	return err
}
