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
// counts only if nothing was hung on it meanwhile, and it is not needed for longer.
func (f *feed) letGoOfSources(ctx context.Context, h *holding) error {
	again := h.delivery.Deliveries > 1 // somebody may have died in the middle of it
	for h.record != nil && h.record.Holds {
		r := h.record
		if !idle(r) {
			if again || !r.Needed.IsZero() {
				return f.align(ctx, r)
			}
			return nil
		}
		end := f.clock.now().Add(max(f.timeLeft(r), f.least(r)))
		if err := f.letGo(ctx, sources(r), r.ID, end.Add(outlive)); err != nil {
			return err
		}
		err := f.amend(ctx, h, func(r *deferred.Record) {
			if idle(r) && !r.Needed.After(end) {
				r.Holds, r.Needed = false, end
				letGoOfAll(r)
			}
		})
		if err != nil {
			return err
		}
		again = true
	}
	if again && h.record != nil {
		return f.alignAll(ctx, h.record)
	}
	return nil
}

// alignAll does so for all that a settled record hung on: it may have had them
// take hold of their sources when it was open, and died.
func (f *feed) alignAll(ctx context.Context, r *deferred.Record) error {
	var ids []deferred.ID
	if r.Parent != nil {
		ids = append(ids, r.Parent.ID)
	}
	if r.Waits != nil {
		ids = append(ids, r.Waits.On...)
	}
	others, err := f.referring(ctx, ids)
	if err != nil {
		return err
	}
	return f.align(ctx, append(others, r)...)
}

// align has the entries of records in their sources say whether they hold them, and
// those of the sources in theirs.
func (f *feed) align(ctx context.Context, records ...*deferred.Record) error {
	seen := map[deferred.ID]bool{}
	for next := records; len(next) > 0; next = next[1:] {
		r := next[0]
		if seen[r.ID] || r.ResultOf == "" {
			continue
		}
		seen[r.ID] = true
		if err := f.alignOne(ctx, r); err != nil {
			return err
		}
		further, err := f.referring(ctx, sources(r))
		if err != nil {
			return err
		}
		next = append(next, further...)
	}
	return nil
}

func (f *feed) alignOne(ctx context.Context, r *deferred.Record) error {
	for {
		if err := f.mark(ctx, r); err != nil {
			return err
		}
		// What was hung on it may have gone meanwhile, or something been hung on it.
		now, _, err := f.readRecord(ctx, r.ID)
		switch {
		case err != nil:
			return err
		case now == nil:
			return f.letGo(ctx, sources(r), r.ID, time.Time{})
		case now.Holds == r.Holds:
			return nil
		}
		r = now
	}
}

// mark makes the entries of a record in its sources what it says.
func (f *feed) mark(ctx context.Context, r *deferred.Record) error {
	if !r.Holds {
		return f.letGo(ctx, sources(r), r.ID, time.Time{})
	}
	for chunk := range slices.Chunk(sources(r), readAtOnce) {
		err := f.changeRecords(ctx, chunk, nil, func(x *deferred.Record) bool { return x.State.Settled() && pinAgain(x, r.ID) })
		if err != nil {
			return err
		}
	}
	return nil
}

// referring gives those of the records that may have let go of their sources.
func (f *feed) referring(ctx context.Context, ids []deferred.ID) (referring []*deferred.Record, err error) {
	for chunk := range slices.Chunk(ids, readAtOnce) {
		records, err := f.readRecords(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if r != nil && mayHaveLetGo(r) {
				referring = append(referring, r)
			}
		}
	}
	return referring, nil
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
