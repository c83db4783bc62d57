package dispatch

import (
	"context"
	"slices"
	"time"

	"zasync/pkg/deferred"
)

// A record with a large result refers to its sources: to the one that it took
// the result over from, or, of a join, to its members. They exist for as long as
// it does. Its entries in them keep them until all that hangs on it has settled.
// Then it lets go, and says in the same writes until when they are needed still;
// it is not kept for longer itself. Whoever hangs itself on it after that has it
// take hold of them again.

// outlive is by how much what is referred to is kept for longer than what refers
// to it: the clocks of two workers may differ, and times to live are whole seconds.
const outlive = deferred.MinKeep / 2

// settleAs settles the record as the other one. It refers only to what its entry
// keeps: to a record that was too full for one it does not.
func settleAs(r, other *deferred.Record, inline int) {
	if e := other.Attached(r.ID); e == nil || e.Settled {
		inline = deferred.MaxResultSize
	}
	r.SettleAs(other, inline)
	r.Holds = r.ResultOf != ""
}

// sources are those that the result of a settled record is made of.
func sources(r *deferred.Record) []deferred.ID {
	switch {
	case r.ResultOf == "":
		return nil
	case r.ResultOf != r.ID:
		return []deferred.ID{r.ResultOf}
	case r.Waits != nil:
		return r.Waits.On
	}
	return nil
}

// idle: all that hangs on the record has settled.
func idle(r *deferred.Record) bool {
	return !slices.ContainsFunc(r.Callbacks, func(c deferred.RecordedCallback) bool { return !c.Settled })
}

// letGoOfSources is done once all that hangs on the record has settled, and then
// counts only if nothing was hung on it meanwhile.
func (f *feed) letGoOfSources(ctx context.Context, h *holding) error {
	r := h.record
	switch {
	case !r.Holds:
		return nil
	case idle(r):
	case h.delivery.Deliveries > 1 || !r.Needed.IsZero(): // somebody may have been about to let go when this was hung on it
		return f.takeHold(ctx, r)
	default:
		return nil
	}
	end := f.clock.now().Add(max(f.timeLeft(r), f.least(r)))
	if err := f.letGo(ctx, sources(r), r.ID, end.Add(outlive)); err != nil {
		return err
	}
	err := f.amend(ctx, h, func(r *deferred.Record) {
		if idle(r) {
			r.Holds, r.Needed = false, end
			letGoOfAll(r)
		}
	})
	if err != nil || h.record == nil || !h.record.Holds {
		return err
	}
	return f.takeHold(ctx, h.record)
}

// takeHold has a record keep its sources again, and these theirs.
func (f *feed) takeHold(ctx context.Context, r *deferred.Record) error {
	seen := map[deferred.ID]bool{}
	for next := []*deferred.Record{r}; len(next) > 0; next = next[1:] {
		further, err := f.takeHoldOf(ctx, next[0])
		if err != nil {
			return err
		}
		for id, x := range further {
			if !seen[id] {
				seen[id] = true
				next = append(next, x)
			}
		}
	}
	return nil
}

// takeHoldOf does so for one record. What is given may have let go as well.
func (f *feed) takeHoldOf(ctx context.Context, r *deferred.Record) (further map[deferred.ID]*deferred.Record, err error) {
	further = map[deferred.ID]*deferred.Record{}
	for chunk := range slices.Chunk(sources(r), readAtOnce) {
		err := f.changeRecords(ctx, chunk, func(x *deferred.Record) bool {
			if mayHaveLetGo(x) {
				further[x.ID] = x
			}
			return x.State.Settled() && pinAgain(x, r.ID)
		})
		if err != nil {
			return nil, err
		}
	}
	// What was hung on it may be gone already, and the record have let go again.
	now, _, err := f.readRecord(ctx, r.ID)
	if err != nil || now != nil && now.Holds {
		return further, err
	}
	return nil, f.letGo(ctx, sources(r), r.ID, time.Time{})
}

// mayHaveLetGo: a record is told until when it is needed only once it, or one
// that refers to it, lets go.
func mayHaveLetGo(r *deferred.Record) bool {
	return r.State.Settled() && r.ResultOf != "" && !r.Needed.IsZero()
}

// pinAgain makes good the entry of one that has let go of the record.
func pinAgain(x *deferred.Record, id deferred.ID) (changed bool) {
	e := x.Attached(id)
	switch {
	case e != nil && e.Settled:
		e.Settled = false
	case e == nil && len(x.Callbacks) < maxAttached:
		x.Callbacks = append(x.Callbacks, deferred.RecordedCallback{ID: id, Waiter: true, On: deferred.OnBoth, Fired: true})
	default:
		return false
	}
	x.Holds = x.ResultOf != ""
	return true
}
