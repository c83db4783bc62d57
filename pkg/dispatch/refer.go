package dispatch

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
)

// letGoOfSources releases the sources of a result, once every deferred that hangs on the
// record has settled. It counts only if no other client has written the record meanwhile.
func (f *feed) letGoOfSources(ctx context.Context, h *holding) error {
	redelivered := h.delivery.Deliveries > 1 // a worker may have died in the middle of this
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

// forgo writes that the record does not hold its sources any more, unless another worker
// has written the record since this one read it. The other worker may have attached it to
// its sources again, after this one had released them.
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
