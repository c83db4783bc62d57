package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// maxGone bounds what is left in a settled record of those that have waited for it.
const maxGone = 64

// letGo tells others that a deferred needs them no longer, and gives what they
// were like then. What its result is made of is told until when that is needed, and
// written in any case: see align.
func (f *feed) letGo(ctx context.Context, others []deferred.ID, id deferred.ID, needed time.Time) (map[deferred.ID]member, error) {
	members := map[deferred.ID]member{}
	for chunk := range slices.Chunk(others, readAtOnce) {
		wakes := map[deferred.ID]driver.Message{}
		change := func(r *deferred.Record) bool {
			members[r.ID] = memberOf(r, id)
			changed := unpin(r, id) || settled(r) && !needed.IsZero()
			if settled(r) && needed.After(r.Needed) {
				r.Needed, changed = needed, true
				r.Holds = r.ResultOf != "" // its own sources have to be told once more
			}
			if done(r) { // also when it was marked before: whoever did so may have died then
				wakes[r.ID] = wire.WakeMessage(r.ID, id, 0)
			}
			return changed
		}
		err := f.changeRecords(ctx, chunk, nil, change)
		var full *fullError
		if errors.As(err, &full) {
			err = f.changeRecords(ctx, full.ids, nil, func(r *deferred.Record) bool {
				change(r)
				lighten(r)
				return true
			})
		}
		if errors.As(err, &full) { // then it is kept for ever, which is better than to try for ever
			f.log.Error("record is too large to be told that it is needed no longer", "id", full.ids[0], "err", err)
			err = nil
		}
		if err != nil {
			return nil, err
		}
		if err := f.putAll(ctx, slices.Collect(maps.Values(wakes))); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// unpin lets a record know that a deferred does not need it any more. The entry
// of one that waited for it goes, so that a record that stays open for long does
// not grow with all that have ever waited for it; of one that has settled it
// stays, marked, for those who look at what came of it, and of one that nobody has
// met, for who has to say once more that it is to be cancelled. The record is to be
// written also if there is no such entry: a worker that is slow may be about to
// attach the deferred still, and must not succeed.
func unpin(r *deferred.Record, id deferred.ID) (write bool) {
	i := slices.IndexFunc(r.Callbacks, func(c deferred.RecordedCallback) bool { return c.ID == id })
	switch {
	case i < 0:
		return true
	case !r.Callbacks[i].Waiter:
		write = !r.Callbacks[i].Settled
	case !r.State.Settled() && r.Seen:
		r.Callbacks = slices.Delete(r.Callbacks, i, i+1)
		return true
	default:
		write = true
	}
	r.Callbacks[i].Fired, r.Callbacks[i].Settled = true, true
	forgetWaiters(r)
	return write
}

// lighten takes away what a record that is too large can do without: those that have
// waited for it, and once it has settled its arguments.
func lighten(r *deferred.Record) {
	r.Callbacks = slices.DeleteFunc(r.Callbacks, func(c deferred.RecordedCallback) bool { return c.Waiter && c.Settled })
	if r.State.Settled() {
		r.Args = deferred.Content{}
	}
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
