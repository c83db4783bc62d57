package dispatch

import (
	"context"
	"errors"
	"time"
)

// park stores a schedule of the call for the time, by which the message has
// been replaced. Another call that is parked under the id is not overwritten.
func (f *feed) park(ctx context.Context, h *holding, until time.Time) error {
	m, err := h.schedule(until)
	if err != nil {
		return err
	}
	m.Unique = h.record == nil || !h.record.Seen
	err = f.put(ctx, m)
	if err == nil {
		return f.overtaken(ctx, h)
	}
	if !errors.Is(err, ErrExists) {
		return err
	}
	found, err := f.broker.Find(ctx, h.delivery.ID)
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].Route != Delay {
			continue
		}
		if other, err := parse(&found[i]); err == nil && other.digest() != h.digest {
			return f.setAside(ctx, h.delivery, "id-in-use", "another call with this id is parked")
		}
	}
	m.Unique = false
	if err := f.put(ctx, m); err != nil {
		return err
	}
	return f.overtaken(ctx, h)
}

// overtaken is ErrConflict if the call has settled since it was looked at. Then
// its cancel may have looked for the schedule before that was stored, and nobody
// else would remove it: it would outlive the record, and have the call performed.
func (f *feed) overtaken(ctx context.Context, h *holding) error {
	r, _, err := f.readRecord(ctx, h.delivery.ID)
	if err == nil && r != nil && r.State.Settled() {
		return ErrConflict
	}
	return err
}

// lead is how long before its time a schedule fires: the server fires in steps
// of a quarter of a second, the last bit is waited for by a worker.
const lead = 500 * time.Millisecond

func (h *holding) schedule(until time.Time) (Message, error) {
	c := *h.call
	c.due = until
	m, err := c.again(Delay)
	m.At = until.Add(-lead)
	return m, err
}

// put stores a message, however often it takes: a repeated one is harmless.
func (q *Queue) put(ctx context.Context, m Message) error {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := q.broker.Put(ctx, []Message{m})[0].Err
		if !errors.Is(err, ErrUnknown) {
			return err
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
