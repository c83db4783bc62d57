package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/wire"
)

const (
	carriedLook   = 10 * time.Second // how soon it is looked whether a settled call's message is there still
	carriedSeldom = 24 * time.Hour   // and how seldom, when it stands for long
)

// met notes that no message is left of a call that was settled without it, but
// for the one that is held. Only then its record may be forgotten: what stands in
// a lane that has no worker for a while is performed when nothing says that it
// must not be. Whoever meets the message may have decided before the call settled,
// so it is also looked for from time to time.
func (f *feed) met(ctx context.Context, h *holding) error {
	if !h.Record.Carried {
		return nil
	}
	left, err := f.carriedElsewhere(ctx, h)
	if err != nil {
		return err
	}
	if left {
		now := f.records.Clock.Now()
		return f.records.Put(ctx, wire.Alarm(h.Record, now.Add(liveness.GrowingDelay(now.Sub(h.Record.Settled), carriedLook, carriedSeldom))))
	}
	if h.call != nil { // as after a commit: time enough to have the message acknowledged
		h.least = f.records.Keeping.Kept(h.Record)
	}
	return f.amend(ctx, h, func(r *deferred.Record) { r.Carried = false })
}

// carriedElsewhere looks for messages of the call beside the one that is held.
func (f *feed) carriedElsewhere(ctx context.Context, h *holding) (bool, error) {
	found, err := f.records.Find(ctx, h.delivery.ID)
	if err != nil {
		return false, err
	}
	for i := range found {
		d := &found[i]
		if d.Route == h.delivery.Route && d.Seq == h.delivery.Seq {
			continue
		}
		if c, err := wire.Decode(d); err == nil && c.Digest() == h.Record.Digest {
			return true, nil
		}
	}
	return false, nil
}
