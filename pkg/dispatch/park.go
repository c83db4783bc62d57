package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// noteScheduled records that the call is scheduled, before the call is parked. A second
// message of the call may not carry its time, and a worker must find it in the record.
func (f *feed) noteScheduled(ctx context.Context, h *holding) error {
	if h.Record != nil && h.Record.Seen {
		return nil
	}
	r := h.next()
	if r.State == deferred.Pending {
		r.State = deferred.Scheduled
	}
	return h.write(ctx, r, time.Time{})
}

// park stores a schedule of the call for the time. The schedule replaces the message.
func (f *feed) park(ctx context.Context, h *holding, until time.Time) error {
	m, err := h.schedule(until)
	if err != nil {
		return err
	}
	if err := f.records.Put(ctx, m); err != nil {
		return err
	}
	return f.overtaken(ctx, h)
}

// rest stores an alarm in place of the message of a waiting deferred: its record has all
// that matters.
func (f *feed) rest(ctx context.Context, h *holding, until time.Time) error {
	if err := f.unbroken(h); err != nil { // another worker may have stored an alarm for an earlier time
		return err
	}
	if err := f.records.Put(ctx, wire.Alarm(h.Record, until)); err != nil {
		return err
	}
	return f.overtaken(ctx, h)
}

// overtaken is ErrConflict if the call has settled since this worker looked at it. Its
// cancel may have looked for the schedule before this worker stored it, and no other
// worker would remove it. The schedule would outlive the record, and a worker would
// perform the call. It is ErrConflict too if a held call has been released since.
func (f *feed) overtaken(ctx context.Context, h *holding) error {
	now, err := f.records.ReadLatest(ctx, h.delivery.ID)
	if err != nil || now.Record == nil {
		return err
	}
	held := h.Record != nil && h.Record.State == deferred.Held // the client that released it may have found no schedule to fire
	if now.Record.State.Settled() || held && now.Record.State != deferred.Held {
		h.ahead = true
		return driver.ErrConflict
	}
	return nil
}

func (h *holding) schedule(until time.Time) (driver.Message, error) {
	c := *h.call
	c.Due = until
	m, err := c.Encode(driver.Delay)
	m.At = until.Add(-wire.ScheduleLead)
	return m, err
}
