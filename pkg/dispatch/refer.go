package dispatch

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
)

// letGoOfSources is done once all that hangs on the record has settled, and then
// counts only if nobody has written the record meanwhile.
func (f *feed) letGoOfSources(ctx context.Context, h *holding) error {
	redelivered := h.delivery.Deliveries > 1 // somebody may have died in the middle of it
	for again := redelivered; h.Record.Holds; again = true {
		r := h.Record
		if !protocol.NoDependents(r) {
			if again || protocol.MaybeDetached(r) {
				return f.align(ctx, r)
			}
			return nil
		}
		end := liveness.Latest(f.records.Keeping.End(r), f.records.Clock.Now().Add(f.records.Keeping.Least(r)))
		if _, err := f.letGo(ctx, protocol.Sources(r), r.ID, end.Add(protocol.SourceGrace)); err != nil {
			return err
		}
		if err := f.forgo(ctx, h, end); err != nil {
			return err
		}
	}
	if redelivered {
		return f.alignAll(ctx, h.Record)
	}
	return nil
}

// forgo writes that the record holds its sources no more, unless somebody has
// written it since it was read: who did may have taken hold of them again after
// they were let go of.
func (f *feed) forgo(ctx context.Context, h *holding, end time.Time) error {
	r := h.Record.Clone()
	r.Holds = false
	if end.After(f.records.Keeping.End(&r)) {
		r.Needed = end
	}
	protocol.MarkDetached(&r)
	err := h.write(ctx, &r, r.Settled)
	if errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrUnknown) {
		return h.readBackOr(ctx, &r)
	}
	return err
}
