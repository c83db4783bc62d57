package dispatch

import (
	"context"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/records"
)

// next is the record to write: a copy of the one that was read, with the call
// taken in if it had not met it.
func (h *holding) next() *deferred.Record {
	r := &deferred.Record{ID: h.delivery.ID, State: deferred.Pending}
	if h.Record != nil {
		*r = h.Record.Clone()
	}
	if h.call != nil && !r.Seen {
		h.call.ApplyTo(r, h.digest)
	}
	return r
}

// write stores the record over the one that was read, and keeps it as read. After
// that a replica may know less than this holding does.
func (h *holding) write(ctx context.Context, r *deferred.Record, now time.Time) error {
	if h.Record != nil && !h.Record.State.MayBecome(r.State) {
		return fmt.Errorf("dispatch: record %s: %s may not become %s", r.ID, h.Record.State, r.State)
	}
	if r.State.Settled() && r.Settled.IsZero() {
		r.Settled = now
	}
	h.ahead = true
	revision, err := h.feed.records.Write(ctx, r, h.Revision, h.least)
	if err != nil {
		return err
	}
	h.Sighting = records.Sighting{Record: r, Revision: revision, Latest: true}
	return nil
}

// readBackOr reads a record that could not be written as r. One that is gone has been
// forgotten: then what was to be written is made here only, so that each step that
// follows is done once.
func (h *holding) readBackOr(ctx context.Context, r *deferred.Record) error {
	back, err := h.feed.records.ReadBack(ctx, r.ID)
	switch {
	case err != nil:
		return err
	case back.Record == nil:
		h.Record = r
	default:
		h.Sighting = back
	}
	return nil
}
