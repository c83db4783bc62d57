package dispatch

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/wire"
)

// noteScheduled records that the call is scheduled, before it is parked: a second
// message of it, which says nothing of its time, must find that out.
func (f *feed) noteScheduled(ctx context.Context, h *holding) error {
	if h.record != nil && h.record.Seen {
		return nil
	}
	r := h.next()
	if r.State == deferred.Pending {
		r.State = deferred.Scheduled
	}
	return h.write(ctx, r, time.Time{})
}

// park stores a schedule of the call for the time, by which the message has
// been replaced.
func (f *feed) park(ctx context.Context, h *holding, until time.Time) error {
	m, err := h.schedule(until)
	if err != nil {
		return err
	}
	if err := f.records.put(ctx, m); err != nil {
		return err
	}
	return f.overtaken(ctx, h)
}

// rest stores an alarm in place of the message of a waiting deferred: all that
// matters is in its record.
func (f *feed) rest(ctx context.Context, h *holding, until time.Time) error {
	if err := f.unbroken(h); err != nil { // another worker may have stored an alarm for an earlier time
		return err
	}
	if err := f.records.put(ctx, wire.Alarm(h.record, until)); err != nil {
		return err
	}
	return f.overtaken(ctx, h)
}

// overtaken is ErrConflict if the call has settled since it was looked at. Then
// its cancel may have looked for the schedule before that was stored, and nobody
// else would remove it: it would outlive the record, and have the call performed.
func (f *feed) overtaken(ctx context.Context, h *holding) error {
	now, err := f.records.latestRecord(ctx, h.delivery.ID)
	if err != nil || now.record == nil {
		return err
	}
	held := h.record != nil && h.record.State == deferred.Held // and who released it may have found no schedule to ring
	if now.record.State.Settled() || held && now.record.State != deferred.Held {
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

// put stores a message, however often it takes: a repeated one is harmless.
func (rs *Records) put(ctx context.Context, m driver.Message) error {
	return rs.putAll(ctx, []driver.Message{m})
}

// putAll stores messages; the first error is that of all.
func (rs *Records) putAll(ctx context.Context, messages []driver.Message) error {
	for wait := 20 * time.Millisecond; len(messages) > 0; wait = min(2*wait, time.Second) {
		var unknown []driver.Message
		for i, s := range rs.Broker.Put(ctx, messages) {
			switch {
			case errors.Is(s.Err, driver.ErrUnknown):
				unknown = append(unknown, messages[i])
			case s.Err != nil:
				return s.Err
			}
		}
		if messages = unknown; len(messages) == 0 {
			return nil
		}
		if err := liveness.Pause(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}
