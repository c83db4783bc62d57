package dispatch

import (
	"context"
	"fmt"
	"time"

	"zasync/pkg/deferred"
)

// next is the record to write: a copy of the one that was read, with the call
// taken in if it had not met it.
func (h *holding) next() *deferred.Record {
	r := &deferred.Record{ID: h.delivery.ID, State: deferred.Pending}
	if h.record != nil {
		*r = h.record.Clone()
	}
	if h.call != nil && !r.Seen {
		h.call.into(r, h.digest)
	}
	return r
}

// into takes a call into its record.
func (c *carried) into(r *deferred.Record, digest string) {
	r.Seen, r.Digest = true, digest
	r.Name, r.Queue, r.Retries, r.Labels = c.Name, c.QueueName(), c.RetryLimit(), c.Labels
	r.Submitted, r.BeginBy = c.submitted, c.BeginBy
	if c.NotBefore.After(r.NotBefore) {
		r.NotBefore = c.NotBefore
	}
	for i, cb := range c.Callbacks {
		r.Callbacks = append(r.Callbacks, deferred.RecordedCallback{On: cb.On, ID: deferred.ChildID(r.ID, i), Call: cb.Call})
	}
	if c.After != nil {
		r.Parent = &deferred.RecordedParent{ID: c.After.Parent, On: c.After.On}
	}
}

// write stores the record over the one that was read, and keeps it as read.
func (h *holding) write(ctx context.Context, r *deferred.Record, now time.Time) error {
	if h.record != nil && !h.record.State.MayBecome(r.State) {
		return fmt.Errorf("dispatch: record %s: %s may not become %s", r.ID, h.record.State, r.State)
	}
	if r.State.Settled() && r.Settled.IsZero() {
		r.Settled = now
	}
	revision, err := h.feed.writeRecord(ctx, r, h.revision)
	if err != nil {
		return err
	}
	h.record, h.revision = r, revision
	return nil
}

// readRecord gives the record and its revision; nil if there is none.
func (q *Queue) readRecord(ctx context.Context, id deferred.ID) (*deferred.Record, uint64, error) {
	entries, err := q.store.Read(ctx, []Key{recordKey(id)})
	if err != nil {
		return nil, 0, fmt.Errorf("dispatch: read record %s: %w", id, err)
	}
	return decodeRecord(entries[0])
}

func decodeRecord(e Entry) (*deferred.Record, uint64, error) {
	if e.Revision == 0 {
		return nil, 0, nil
	}
	r := new(deferred.Record)
	if err := r.UnmarshalJSON(e.Value); err != nil {
		return nil, 0, fmt.Errorf("dispatch: record %s: %w", e.Name, err)
	}
	return r, e.Revision, nil
}

func recordKey(id deferred.ID) Key { return Key{Space: Records, Name: string(id)} }

// writeRecord stores the record over the given revision. It lives for ever
// until it may be forgotten; then every write of it says for how long.
func (q *Queue) writeRecord(ctx context.Context, r *deferred.Record, revision uint64) (uint64, error) {
	data, err := r.AppendJSON(nil)
	if err != nil {
		return 0, fmt.Errorf("dispatch: record %s: %w", r.ID, err)
	}
	w := q.store.Write(ctx, []Write{{Key: recordKey(r.ID), Value: data, Expect: revision, TTL: q.retention(r)}})[0]
	if w.Err != nil {
		return 0, fmt.Errorf("dispatch: write record %s: %w", r.ID, w.Err)
	}
	return w.Revision, nil
}

// retention is 0, for ever, until nothing needs the record any more: it has met
// its call, its callbacks have settled, and its own parent knows that it has.
func (q *Queue) retention(r *deferred.Record) time.Duration {
	if !r.State.Settled() || !r.Seen || r.Parent != nil && !r.Parent.Released {
		return 0
	}
	for i := range r.Callbacks {
		if !r.Callbacks[i].Settled {
			return 0
		}
	}
	if r.State == deferred.Succeeded {
		return q.config.KeepSucceeded
	}
	return q.config.KeepOthers
}
