package dispatch

import (
	"context"
	"errors"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
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
// counts only if nobody has written the record meanwhile.
func (f *feed) letGoOfSources(ctx context.Context, h *holding) error {
	redelivered := h.delivery.Deliveries > 1 // somebody may have died in the middle of it
	for again := redelivered; h.record.Holds; again = true {
		r := h.record
		if !idle(r) {
			if again || mayHaveLetGo(r) {
				return f.align(ctx, r)
			}
			return nil
		}
		end := liveness.Latest(f.keeping.End(r), f.clock.Now().Add(f.keeping.Least(r)))
		if _, err := f.letGo(ctx, sources(r), r.ID, end.Add(outlive)); err != nil {
			return err
		}
		if err := f.forgo(ctx, h, end); err != nil {
			return err
		}
	}
	if redelivered {
		return f.alignAll(ctx, h.record)
	}
	return nil
}

// forgo writes that the record holds its sources no more, unless somebody has
// written it since it was read: who did may have taken hold of them again after
// they were let go of.
func (f *feed) forgo(ctx context.Context, h *holding, end time.Time) error {
	r := h.record.Clone()
	r.Holds = false
	if end.After(f.keeping.End(&r)) {
		r.Needed = end
	}
	markLetGo(&r)
	err := h.write(ctx, &r, r.Settled)
	if errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrUnknown) {
		return h.readBackOr(ctx, &r)
	}
	return err
}

// mayHaveLetGo: if it holds its sources, then perhaps not for the first time.
func mayHaveLetGo(r *deferred.Record) bool {
	switch {
	case !r.State.Settled() || r.ResultOf == "":
		return false
	case r.Parent != nil && r.Parent.ID == r.ResultOf:
		return r.Parent.Released
	}
	return r.Waits != nil && r.Waits.Released
}
