package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

// wait records that a deferred waits, with all that is needed later. Its message is not
// needed then.
func (f *feed) wait(ctx context.Context, h *holding) error {
	r := h.next()
	r.State = deferred.Waiting
	if h.call.After != nil {
		r.Waits = &deferred.Waits{Mode: deferred.AfterParent, On: []deferred.ID{h.call.After.Parent}}
		r.Args = h.call.Args
	}
	return h.write(ctx, r, time.Time{})
}

// evaluate looks at the members that a waiting deferred waits for, and gives a decision.
// Outcomes decide most of the deferreds that are woken, and an outcome is final from any
// replica. To go on waiting is to acknowledge a message that may be the last one.
// So that decision rests on the leader's answer alone, for the record itself and for each
// member that seems open.
func (f *feed) evaluate(ctx context.Context, h *holding) (protocol.Decision, error) {
	r := h.Record
	limit := protocol.WaitLimit(r)
	if !limit.IsZero() && !f.records.Clock.Now().Before(limit) {
		return protocol.Decision{Action: protocol.Expire, Why: "its time has passed"}, nil
	}
	if r.Waits == nil {
		return protocol.WaitUntil(limit, "waits to be settled from outside"), f.confirm(ctx, h)
	}
	if h.from != "" {
		if d, err := f.weigh(ctx, h, false); err != nil || d.Action != protocol.Discard && d.Action != protocol.ParkWake {
			return d, err
		}
	}
	if err := f.confirm(ctx, h); err != nil {
		return protocol.Decision{}, err
	}
	return f.weigh(ctx, h, true)
}

// confirm is ErrConflict if the leader has another revision of the record than was read.
func (f *feed) confirm(ctx context.Context, h *holding) error {
	if h.Latest {
		return nil
	}
	now, err := f.records.ReadLatest(ctx, h.delivery.ID)
	if err == nil && now.Revision != h.Revision {
		h.ahead = true
		return driver.ErrConflict
	}
	h.Latest = err == nil
	return err
}

// weigh attaches the deferred first and looks then, so that no member settles unnoticed in
// between. A decision to go on waiting counts only with latest.
func (f *feed) weigh(ctx context.Context, h *holding, latest bool) (protocol.Decision, error) {
	r, limit := h.Record, protocol.WaitLimit(h.Record)
	full, err := f.attachAll(ctx, h, latest)
	if err != nil {
		return protocol.Decision{}, err
	}
	if latest && h.from == "" { // not woken: its members may be new
		if circular, err := f.circular(ctx, r); err != nil || circular {
			return protocol.Decision{Action: protocol.FailCycle, Why: "it would wait for itself"}, err
		}
	}
	s := &standing{feed: f, h: h, waits: h.Record.Waits, latest: latest}
	if err := s.look(ctx); err != nil {
		return protocol.Decision{}, err
	}
	switch {
	case s.decided && r.Waits.Mode == deferred.AfterParent:
		return f.afterParent(h, s)
	case s.decided:
		h.members = s.records
		return protocol.Decision{Action: protocol.Conclude, Why: "what it waited for has settled"}, nil
	case full, s.fired: // in the second case another client put its message, or a worker that has seen more
		return f.again(h, limit), nil
	case s.apart:
		return protocol.WaitUntil(liveness.Earliest(f.records.Clock.Now().Add(protocol.ParentLook), limit), "what it waits for does not know of it"), nil
	case s.unseen:
		return protocol.WaitUntil(liveness.Earliest(f.graceEnd(r), limit), "nobody has seen yet what it waits for"), nil
	}
	return protocol.WaitUntil(limit, "waits to be woken"), nil
}

// again gives the decision to look soon, and then less and less often: a wake may be
// missing.
func (f *feed) again(h *holding, limit time.Time) protocol.Decision {
	now := f.records.Clock.Now()
	after := liveness.GrowingDelay(now.Sub(h.Record.Submitted)/8, protocol.ParentLook, protocol.ParentSeldom)
	if h.looks > 0 {
		after = min(after, h.looks)
	}
	return protocol.WaitUntil(liveness.Earliest(now.Add(after), limit), "it may not be woken by all that it waits for")
}

// afterParent gives the decision on a callback whose parent has settled.
func (f *feed) afterParent(h *holding, s *standing) (protocol.Decision, error) {
	p := s.records[0]
	h.parent = p
	if h.Record.Parent == nil { // another client wrote the record
		h.members = []*deferred.Record{protocol.UnknownMember(p.ID)}
		return protocol.Decision{Action: protocol.Conclude, Why: "its record names no parent"}, nil
	}
	after := deferred.After{On: h.Record.Parent.On, Kinds: h.Record.Parent.Kinds}
	switch {
	case protocol.IsUnknown(p):
		h.members = s.records
		return protocol.Decision{Action: protocol.Conclude, Why: "nobody knows its parent"}, nil
	case !after.Takes(p):
		return protocol.Decision{Action: protocol.Skip, Why: "the other branch was taken"}, nil
	}
	return protocol.Decision{Action: protocol.Forward, Why: "its parent has settled"}, nil
}

// forward puts a callback that waited into its lane, and notes that in its record. A
// second message would change nothing, but each wake would put one. The alarm of its
// deadline comes before, since there may be no worker of the lane. No alarm is stored yet
// if the parent had settled by the first look.
func (f *feed) forward(ctx context.Context, h *holding) error {
	c := wire.FromRecord(h.Record)
	route := driver.Ready
	if f.records.Clock.Now().Before(c.NotBefore) {
		route = driver.Later
	}
	m, err := c.Encode(route)
	if err != nil {
		return err
	}
	messages := []driver.Message{m}
	if !c.Deadline.IsZero() {
		messages = []driver.Message{wire.Alarm(h.Record, c.Deadline), m}
	}
	for _, m := range messages {
		if err := f.unbroken(h); err != nil {
			return err
		}
		if err := f.records.Put(ctx, m); err != nil {
			return err
		}
	}
	r := h.Record.Clone()
	r.State, r.Args = deferred.Pending, deferred.Content{}
	return h.write(ctx, &r, time.Time{})
}
