package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

// Failures that nobody took on are listed under a space of their own, so that
// they are found without reading every record. The list is a hint of where to
// look, and the record the truth: an entry that is not true any more is passed
// over, and taken off by whoever meets it.

func unhandledKey(id deferred.ID) driver.Key {
	return driver.Key{Space: driver.Unhandled, Name: string(id)}
}

// listed has the list say what the settled record says.
func (f *feed) listed(ctx context.Context, h *holding) error {
	switch {
	case h.record.Unhandled():
		return f.records.list(ctx, h.record)
	case h.command != nil && h.command.Verb == deferred.Handle:
		return f.records.unlist(ctx, h.record.ID, driver.Unconditional)
	}
	return nil
}

// list notes a failure that nobody took on, for as long as its record is kept.
func (rs *Records) list(ctx context.Context, r *deferred.Record) error {
	value, err := json.Marshal(struct {
		Name    string    `json:"name"`
		Queue   string    `json:"queue"`
		Kind    string    `json:"kind"`
		Settled time.Time `json:"settled"`
	}{r.Name, r.Queue, kindOf(r), r.Settled.UTC()})
	if err != nil {
		return fmt.Errorf("dispatch: unhandled %s: %w", r.ID, err)
	}
	w := rs.Store.Write(ctx, []driver.Write{{Key: unhandledKey(r.ID), Value: value, Expect: driver.Unconditional, TTL: max(liveness.WholeSeconds(rs.Keeping.Kept(r)), time.Second)}})[0]
	return w.Err
}

// kindOf is the kind of a failure. A record of somebody else's hand may lack it.
func kindOf(r *deferred.Record) string {
	if r.Failure == nil {
		return string(r.State)
	}
	return r.Failure.Kind
}

// unlist takes a deferred off the list, if its entry there is the expected one.
func (rs *Records) unlist(ctx context.Context, id deferred.ID, expect uint64) error {
	return rs.Store.Write(ctx, []driver.Write{{Key: unhandledKey(id), Expect: expect, Delete: true}})[0].Err
}

// Unhandled gives the deferreds that failed or expired and that nobody has seen
// since: no errback and no other deferred took the failure on, and nobody who
// waited for it was told. One that was settled less than Config.UnhandledGrace
// ago is left out: somebody may be about to. Oldest first. An error that is
// [ErrUnreadable] is in the place of one record, and the others follow; any other ends
// the list.
func (q *Queue) Unhandled(ctx context.Context) iter.Seq2[deferred.Record, error] {
	return func(yield func(deferred.Record, error) bool) {
		if err := q.life.check(); err != nil {
			yield(deferred.Record{}, err)
			return
		}
		var entries []driver.Entry
		for e, err := range q.records.Store.List(ctx, driver.Query{Space: driver.Unhandled}) {
			if err != nil {
				yield(deferred.Record{}, fmt.Errorf("dispatch: list unhandled: %w", err))
				return
			}
			if err := deferred.ID(e.Name).Check(); err != nil {
				if !yield(deferred.Record{}, fmt.Errorf("dispatch: unhandled %s: %w: %w", e.Name, ErrUnreadable, err)) {
					return
				}
				continue
			}
			if entries = append(entries, e); len(entries) == readAtOnce {
				if !q.showUnhandled(ctx, entries, yield) {
					return
				}
				entries = nil
			}
		}
		q.showUnhandled(ctx, entries, yield)
	}
}

// unlistUnlessTrue takes an entry off that is not true any more, as the leader says: it
// may be a replica that has not seen the failure yet. Who may only read leaves it to
// others, and a new entry stays.
func (q *Queue) unlistUnlessTrue(ctx context.Context, e driver.Entry) {
	id := deferred.ID(e.Name)
	if now, err := q.records.latestRecord(ctx, id); err == nil && (now.record == nil || !now.record.Unhandled()) {
		_ = q.records.unlist(ctx, id, e.Revision)
	}
}

func (q *Queue) showUnhandled(ctx context.Context, entries []driver.Entry, yield func(deferred.Record, error) bool) bool {
	if len(entries) == 0 {
		return true
	}
	keys := make([]driver.Key, len(entries))
	for i, e := range entries {
		keys[i] = recordKey(deferred.ID(e.Name))
	}
	records, err := q.records.Store.Read(ctx, keys)
	if err != nil {
		yield(deferred.Record{}, fmt.Errorf("dispatch: list unhandled: %w", err))
		return false
	}
	for i, e := range records {
		r, err := decodeOwn(e)
		switch {
		case err != nil:
			if !yield(deferred.Record{}, err) {
				return false
			}
		case r == nil || !r.Unhandled():
			q.unlistUnlessTrue(ctx, entries[i])
		case q.records.Clock.Now().Sub(r.Settled) < q.config.UnhandledGrace:
		case !yield(*r, nil):
			return false
		}
	}
	return true
}
