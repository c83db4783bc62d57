package dispatch

import (
	"context"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

// next is the record to write: a copy of the one that was read, with the call
// taken in if it had not met it.
func (h *holding) next() *deferred.Record {
	r := &deferred.Record{ID: h.delivery.ID, State: deferred.Pending}
	if h.record != nil {
		*r = h.record.Clone()
	}
	if h.call != nil && !r.Seen {
		h.call.ApplyTo(r, h.digest)
	}
	return r
}

// write stores the record over the one that was read, and keeps it as read. After
// that a replica may know less than this holding does.
func (h *holding) write(ctx context.Context, r *deferred.Record, now time.Time) error {
	if h.record != nil && !h.record.State.MayBecome(r.State) {
		return fmt.Errorf("dispatch: record %s: %s may not become %s", r.ID, h.record.State, r.State)
	}
	if r.State.Settled() && r.Settled.IsZero() {
		r.Settled = now
	}
	h.ahead = true
	revision, err := h.feed.records.writeRecord(ctx, r, h.revision, h.least)
	if err != nil {
		return err
	}
	h.sighting = sighting{record: r, revision: revision, latest: true}
	return nil
}

// readBackOr reads a record that could not be written as r. One that is gone has been
// forgotten: then what was to be written is made here only, so that each step that
// follows is done once.
func (h *holding) readBackOr(ctx context.Context, r *deferred.Record) error {
	back, err := h.feed.records.readBack(ctx, r.ID)
	switch {
	case err != nil:
		return err
	case back.record == nil:
		h.record = r
	default:
		h.sighting = back
	}
	return nil
}

func decodeRecord(e driver.Entry) (*deferred.Record, uint64, error) {
	if e.Revision == 0 {
		return nil, 0, nil
	}
	r := new(deferred.Record)
	if err := r.UnmarshalJSON(e.Value); err != nil {
		return nil, 0, fmt.Errorf("dispatch: record %s: %w: %w", e.Name, ErrUnreadable, err)
	}
	return r, e.Revision, nil
}

// decodeOwn is decodeRecord for who meets what stands there by looking at everything,
// and not by an id: it is anybody's also if it is of another deferred than its key names.
func decodeOwn(e driver.Entry) (*deferred.Record, error) {
	r, _, err := decodeRecord(e)
	if err == nil && r != nil && string(r.ID) != e.Name {
		return nil, fmt.Errorf("dispatch: record %s: %w: it is that of %q", e.Name, ErrUnreadable, string(r.ID))
	}
	return r, err
}

func recordKey(id deferred.ID) driver.Key { return driver.Key{Space: driver.Records, Name: string(id)} }

// writeRecord stores the record over the given revision.
func (rs *Records) writeRecord(ctx context.Context, r *deferred.Record, revision uint64, keep time.Duration) (uint64, error) {
	write, err := rs.writeOf(r, revision, keep)
	if err != nil {
		return 0, err
	}
	w := rs.Store.Write(ctx, []driver.Write{write})[0]
	if w.Err != nil {
		return 0, fmt.Errorf("dispatch: write record %s: %w", r.ID, w.Err)
	}
	return w.Revision, nil
}

// writeOf is the write of a record. It lives for ever until it may be forgotten;
// then every write of it says for how long, and that is keep at least.
func (rs *Records) writeOf(r *deferred.Record, revision uint64, keep time.Duration) (driver.Write, error) {
	r.Handled = r.Handled || r.TakenOn()
	if r.State != deferred.Held { // however it came to be released
		r.HoldReason = ""
	}
	data, err := r.AppendJSON(nil)
	if err != nil {
		return driver.Write{}, fmt.Errorf("dispatch: record %s: %w", r.ID, err)
	}
	ttl := rs.Keeping.TTL(r, rs.Clock.Now())
	if ttl > 0 {
		ttl = max(ttl, liveness.WholeSeconds(keep))
	}
	return driver.Write{Key: recordKey(r.ID), Value: data, Expect: revision, TTL: ttl}, nil
}
