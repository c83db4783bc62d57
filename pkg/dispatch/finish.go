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

// finish does everything that a settled record still owes:
//
//   - It fires the callbacks, wakes the waiters and marks both as fired.
//   - It lets go of the parent and of the deferreds that this one waited for. It passes
//     a cancel on to the latter.
//   - It lets go of the sources of its result when no dependent needs the result any
//     more.
//   - It lists a failure that no other deferred handles.
//   - It removes schedules that mean nothing any more, as after a command.
//   - It notes when no message of the call is left.
//
// Every step may have been done before; none does harm when a worker does it again.
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

// owing reads the record of a settled deferred from the leader, if it seems to owe
// something. A mark that is set is final, but a missing mark may have been set since
// the read. A worker would then do a step twice, perhaps to a deferred that is gone.
//
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
	case !now.Record.State.Settled(): // the id belongs to another deferred by now
		h.ahead = true
		return false, driver.ErrConflict
	}
	h.Sighting = now
	return false, nil
}

// stillSettled returns errLapsed if the lease had a gap and the record is not settled
// any more. With an unbroken lease no other worker finishes this deferred. After a gap
// other workers may have finished it, and the record may be forgotten. Then this worker
// fires nothing again.
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

// disarm removes two schedules that mean nothing any more: that of a call that settled
// without it, and the alarm for the end of a wait. A schedule that stays fires without
// effect.
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

// letGoOfRest lets go of the parent and of the deferreds that this one waited for,
// except the sources of its result.
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
	if len(rest) == 0 && r.Holds { // no other record was told anything yet
		return nil
	}
	if !protocol.StillAttached(r) && !parent {
		return nil
	}
	return f.amend(ctx, h, protocol.MarkDetached)
}

// fire puts a message for each callback that is not marked, and wakes the waiters. A
// callback on the branch that was not taken goes to the housekeeping, which settles it
// with this outcome. For there may be no worker that performs calls of its name.
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

// amend changes the marks of a settled record, even if other clients add to it
// meanwhile.
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

// pin adds a callback to the record of its parent, if the parent has settled already.
// The parent is then kept until the callback has settled too. A callback that does not
// go on needs nothing of its parent.
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
	if err == nil && (!protocol.IsSettled(h.parent) || !h.parent.Settled.Equal(p.Settled)) { // the parent has been forgotten, and its id may belong to another deferred
		return driver.ErrConflict
	}
	return err
}
