package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/wire"
)

const (
	carriedLook   = 10 * time.Second // the first pause between two looks for the message of a settled call
	carriedSeldom = 24 * time.Hour   // the longest one, for a message that stands for long
)

// met notes that a call that settled without its message has no message left, except
// the one that is held. Until then its record may not be forgotten. The message may
// stand for a while in a lane without a worker, and a worker performs it later unless a
// record forbids it.
//
// The worker that meets the message may have decided before the call settled. So met
// also looks for the message from time to time, by an alarm.
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
	if h.call != nil { // as after a commit: this leaves time to acknowledge the message
		h.least = f.records.Keeping.Kept(h.Record)
	}
	return f.amend(ctx, h, func(r *deferred.Record) { r.Carried = false })
}

// carriedElsewhere reports whether the call has a message beside the one that is held.
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
