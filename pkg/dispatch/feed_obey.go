package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

// obey carries out a command that settles nothing.
func (f *feed) obey(ctx context.Context, h *holding, d protocol.Action) error {
	if r := h.record; d == protocol.Release && r != nil && r.Obeyed == h.command.Seq { // its giver has written that, and may have died before he rang
		return f.records.ring(ctx, r.ID)
	}
	r := h.next()
	protocol.Change(r, h.command)
	if err := h.write(ctx, r, time.Time{}); err != nil {
		return err
	}
	switch d {
	case protocol.Release:
		return f.records.ring(ctx, r.ID)
	case protocol.MarkHandled:
		return f.finish(ctx, h)
	}
	return nil
}

// ring has the schedule of an id fire now. It is a hint: the call is looked at
// again in any case, only later.
func (rs *Records) ring(ctx context.Context, id deferred.ID) error {
	found, err := rs.find(ctx, id)
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].Route != driver.Delay {
			continue
		}
		c, err := wire.Decode(&found[i])
		if err != nil { // an alarm of one that waits
			continue
		}
		c.Due = time.Unix(0, 0) // by nobody's clock: a time that has passed fires at once
		m, err := c.Encode(driver.Delay)
		if err != nil {
			return err
		}
		m.At = c.Due
		return rs.put(ctx, m)
	}
	return nil
}
