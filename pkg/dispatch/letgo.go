package dispatch

import (
	"context"
	"slices"
	"time"

	"zasync/pkg/deferred"
)

// maxGone bounds what is left in a settled record of those that have waited for it.
const maxGone = 64

// letGo tells those that a deferred waited for that it needs them no longer, and
// has those cancelled that nobody else needs, if it is to. They are kept for keep
// at least: what was made of them may still refer to them.
func (f *feed) letGo(ctx context.Context, h *holding, keep time.Duration) error {
	for chunk := range slices.Chunk(h.record.Waits.On, readAtOnce) {
		members := map[deferred.ID]member{}
		var idle []Message
		err := f.changeRecords(ctx, chunk, changing{keep: keep}, func(r *deferred.Record) bool {
			members[r.ID] = memberOf(r, h.record.ID)
			marked := unpin(r, h.record.ID)
			if done(r) { // also when it was marked before: whoever did so may have died then
				idle = append(idle, wakeOf(r.ID, h.record.ID))
			}
			return marked
		})
		if err != nil {
			return err
		}
		if passesCancel(h.record) {
			if err := f.passCancel(ctx, h.record, members); err != nil {
				return err
			}
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

// done: all that hangs on a join has settled, and only now it can let go of its
// members, to whose results its own refers.
func done(r *deferred.Record) bool {
	return r.State.Settled() && holdsMembers(r) && !slices.ContainsFunc(r.Callbacks, func(c deferred.RecordedCallback) bool { return !c.Settled })
}
