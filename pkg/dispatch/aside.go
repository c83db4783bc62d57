package dispatch

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

// stands reports whether a call that can be decoded waits under the same id, and the id
// is its own. If the look-up fails, it assumes so.
func (f *feed) stands(ctx context.Context, d driver.Delivery) bool {
	found, err := f.records.Find(ctx, d.ID)
	for i := range found {
		if _, fault := wire.Decode(&found[i]); fault == nil && !wire.Foreign(&found[i]) {
			return true
		}
	}
	return err != nil
}

// malformed sets aside a message that cannot be decoded. Waiters for its id learn the
// reason, unless the id belongs to another call.
func (f *feed) malformed(ctx context.Context, h *holding, cause error) {
	d := h.delivery
	err := f.records.SetAside(ctx, d, "malformed", cause.Error())
	if err == nil && d.ID.Check() == nil && !wire.Foreign(&d) && !f.stands(ctx, d) {
		err = f.settleMalformed(ctx, h, cause)
	}
	if err != nil {
		f.letCome(h, liveness.RedeliveryDelay(d.Deliveries), "cannot set aside", err)
		return
	}
	f.acknowledge(ctx, h)
	f.release(h)
}

const digestMalformed = "malformed" // stands in place of the digest of a call

// settleMalformed makes the record say that the message could not be decoded. A record
// that exists already keeps its callbacks and waiters. If it has settled, it keeps its
// outcome too.
func (f *feed) settleMalformed(ctx context.Context, h *holding, cause error) (err error) {
	for {
		if h.Sighting, err = f.records.ReadLatest(ctx, h.delivery.ID); err != nil {
			return err
		}
		r := h.next()
		if !r.Seen {
			d := &h.delivery
			r.Queue, r.Name = wire.CallNames(&d.Message)
			r.Seen, r.Digest, r.Submitted = true, digestMalformed, d.Time
			if !r.State.Settled() {
				r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindMalformed, Message: protocol.Cut(cause.Error())})
			}
			err = h.write(ctx, r, f.records.Clock.Now())
		}
		switch {
		case errors.Is(err, driver.ErrConflict), errors.Is(err, driver.ErrUnknown):
		case errors.Is(err, driver.ErrTooLarge): // the message is set aside for people; the record stays as it was
			f.log.Error("record cannot say that its call is malformed", "id", r.ID, "err", err)
			return nil
		case err != nil || r.Digest != digestMalformed:
			return err
		default:
			return f.finish(ctx, h)
		}
		if err := liveness.Pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

// leaveParent marks a callback as settled in its parent's record. The callback was set
// aside, because its id belongs to another call. No other worker would mark it, and the
// parent would be kept for ever.
func (f *feed) leaveParent(ctx context.Context, h *holding) error {
	if h.parent == nil || h.Record == nil || h.Record.Parent != nil && h.Record.Parent.ID == h.parent.ID {
		return nil
	}
	if e := h.parent.Attached(h.delivery.ID); e == nil || e.Waiter || e.Settled {
		return nil
	}
	_, err := f.letGo(ctx, []deferred.ID{h.parent.ID}, h.delivery.ID, time.Time{})
	return err
}
