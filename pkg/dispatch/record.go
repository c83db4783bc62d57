package dispatch

import (
	"context"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/records"
)

// next is the record to write: a copy of the record that was read. If that has not met the
// call yet, next takes the call in.
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

// write stores the record over the one that was read, and then holds it as the one that
// was read. From then on a replica may know less than this holding does.
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

// readBackOr reads a record that could not be written as r. If the record is gone, it has
// been forgotten. Then r counts as written in this holding only, so that each following
// step is done once.
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
