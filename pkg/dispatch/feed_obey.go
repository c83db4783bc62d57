package dispatch

import (
	"context"
	"time"

	"zasync/pkg/dispatch/internal/protocol"
)

// obey carries out a command that settles nothing.
func (f *feed) obey(ctx context.Context, h *holding, d protocol.Action) error {
	if r := h.Record; d == protocol.Release && r != nil && r.Obeyed == h.command.Seq { // the caller has written that, and may have died before it fired the schedule
		return f.records.FireSchedule(ctx, r.ID)
	}
	r := h.next()
	protocol.Change(r, h.command)
	if err := h.write(ctx, r, time.Time{}); err != nil {
		return err
	}
	switch d {
	case protocol.Release:
		return f.records.FireSchedule(ctx, r.ID)
	case protocol.MarkHandled:
		return f.finish(ctx, h)
	}
	return nil
}
