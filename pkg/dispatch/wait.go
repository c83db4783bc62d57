package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/wire"
)

// wait records that a deferred waits, with all that is needed later: its
// message is not.
func (f *feed) wait(ctx context.Context, h *holding) error {
	r := h.next()
	r.State = deferred.Waiting
	if h.call.After != nil {
		r.Waits = &deferred.Waits{Mode: deferred.AfterParent, On: []deferred.ID{h.call.After.Parent}}
		r.Args = h.call.Args
	}
	return h.write(ctx, r, time.Time{})
}

// evaluate looks at what a waiting deferred waits for, and says what follows. Most
// of those that are woken are decided, by outcomes, which are final whoever tells
// them. To go on waiting is to acknowledge what may be the last message: that rests
// on the leader's answer alone, for the record itself and for all that seems open.
func (f *feed) evaluate(ctx context.Context, h *holding) (decision, error) {
	r := h.record
	limit := waitLimit(r)
	if !limit.IsZero() && !f.clock.Now().Before(limit) {
		return decision{deed: expire, why: "its time has passed"}, nil
	}
	if r.Waits == nil {
		return resting(limit, "waits to be settled from outside"), f.confirm(ctx, h)
	}
	if h.from != "" {
		if d, err := f.weigh(ctx, h, false); err != nil || d.deed != drop && d.deed != rest {
			return d, err
		}
	}
	if err := f.confirm(ctx, h); err != nil {
		return decision{}, err
	}
	return f.weigh(ctx, h, true)
}

// confirm is ErrConflict if the record is not as it was read.
func (f *feed) confirm(ctx context.Context, h *holding) error {
	if h.latest {
		return nil
	}
	now, err := f.latestRecord(ctx, h.delivery.ID)
	if err == nil && now.revision != h.revision {
		h.ahead = true
		return driver.ErrConflict
	}
	h.latest = err == nil
	return err
}

// weigh attaches the deferred first and looks then, so that nothing settles
// unnoticed in between. What is to go on waiting counts only if latest.
func (f *feed) weigh(ctx context.Context, h *holding, latest bool) (decision, error) {
	r, limit := h.record, waitLimit(h.record)
	full, err := f.attachAll(ctx, h, latest)
	if err != nil {
		return decision{}, err
	}
	if latest && h.from == "" { // not woken: what it waits for may be new
		if circular, err := f.circular(ctx, r); err != nil || circular {
			return decision{deed: refuse, why: "it would wait for itself"}, err
		}
	}
	s := &standing{feed: f, h: h, waits: h.record.Waits, latest: latest}
	if err := s.look(ctx); err != nil {
		return decision{}, err
	}
	switch {
	case s.decided && r.Waits.Mode == deferred.AfterParent:
		return f.afterParent(h, s)
	case s.decided:
		h.members = s.records
		return decision{deed: conclude, why: "what it waited for has settled"}, nil
	case full, s.fired: // in the second case by hand, or by a worker that has seen more
		return f.again(h, limit), nil
	case s.apart:
		return resting(liveness.Earliest(f.clock.Now().Add(parentLook), limit), "what it waits for does not know of it"), nil
	case s.unseen:
		return resting(liveness.Earliest(f.graceEnd(r), limit), "nobody has seen yet what it waits for"), nil
	}
	return resting(limit, "waits to be woken"), nil
}

// waitLimit is when a deferred stops waiting by itself; zero is never.
func waitLimit(r *deferred.Record) time.Time {
	limit := r.Deadline
	if w := r.Waits; w != nil && w.Mode == deferred.AfterParent && !r.BeginBy.IsZero() && (limit.IsZero() || r.BeginBy.Before(limit)) {
		limit = r.BeginBy
	}
	return limit
}

// resting: with nothing to do but to wait for a wake, the message is not needed;
// the end of the waiting needs an alarm.
func resting(limit time.Time, why string) decision {
	if limit.IsZero() {
		return decision{deed: drop, why: why}
	}
	return decision{deed: rest, until: limit, why: why}
}

// again looks soon, and less and less often, since nobody will say when.
func (f *feed) again(h *holding, limit time.Time) decision {
	now := f.clock.Now()
	after := liveness.GrowingDelay(now.Sub(h.record.Submitted)/8, parentLook, parentSeldom)
	if h.looks > 0 {
		after = min(after, h.looks)
	}
	return resting(liveness.Earliest(now.Add(after), limit), "it may not be woken by all that it waits for")
}

// afterParent: the parent of a callback has settled.
func (f *feed) afterParent(h *holding, s *standing) (decision, error) {
	p := s.records[0]
	h.parent = p
	if h.record.Parent == nil { // of somebody else's hand
		h.members = []*deferred.Record{unknownMember(p.ID)}
		return decision{deed: conclude, why: "its record names no parent"}, nil
	}
	after := deferred.After{On: h.record.Parent.On, Kinds: h.record.Parent.Kinds}
	switch {
	case isUnknown(p):
		h.members = s.records
		return decision{deed: conclude, why: "nobody knows its parent"}, nil
	case !after.Takes(p):
		return decision{deed: passThrough, why: "the other branch was taken"}, nil
	}
	return decision{deed: forward, why: "its parent has settled"}, nil
}

// forward puts a callback that waited into its lane, and notes that it did: a
// second message would change nothing, but there would be one for each wake. The
// alarm of its deadline comes before: it is not there yet if its parent had settled
// by the first look, and nobody may serve the lane.
func (f *feed) forward(ctx context.Context, h *holding) error {
	c := wire.FromRecord(h.record)
	route := driver.Ready
	if f.clock.Now().Before(c.NotBefore) {
		route = driver.Later
	}
	m, err := c.Encode(route)
	if err != nil {
		return err
	}
	messages := []driver.Message{m}
	if !c.Deadline.IsZero() {
		messages = []driver.Message{wire.Alarm(h.record, c.Deadline), m}
	}
	for _, m := range messages {
		if err := f.unbroken(h); err != nil {
			return err
		}
		if err := f.put(ctx, m); err != nil {
			return err
		}
	}
	r := h.record.Clone()
	r.State, r.Args = deferred.Pending, deferred.Content{}
	return h.write(ctx, &r, time.Time{})
}
