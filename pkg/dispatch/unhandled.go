package dispatch

import (
	"context"
	"fmt"
	"iter"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
)

// listed makes the list of unhandled failures agree with the settled record.
func (f *feed) listed(ctx context.Context, h *holding) error {
	switch {
	case h.Record.Unhandled():
		return f.records.ListUnhandled(ctx, h.Record)
	case h.command != nil && h.command.Verb == deferred.Handle:
		return f.records.UnlistUnhandled(ctx, h.Record.ID, driver.Unconditional)
	}
	return nil
}

// Unhandled gives the deferreds that failed or expired and that no client has seen since.
// No errback and no other deferred took the failure on, and no caller that waited was
// told. Unhandled leaves out a deferred that settled less than Config.UnhandledGrace ago,
// since a client may be about to see it. The oldest come first. An [ErrUnreadable] error
// stands in the place of one record, and the others follow. Any other error ends the list.
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
				if !yield(deferred.Record{}, fmt.Errorf("dispatch: unhandled %s: %w: %w", e.Name, records.ErrUnreadable, err)) {
					return
				}
				continue
			}
			if entries = append(entries, e); len(entries) == records.ReadAtOnce {
				if !q.showUnhandled(ctx, entries, yield) {
					return
				}
				entries = nil
			}
		}
		q.showUnhandled(ctx, entries, yield)
	}
}

// unlistUnlessTrue takes an entry off the list that is not true any more. The leader
// decides that: a replica may not have seen the failure yet. A user that may only read
// leaves the entry to others. A newer entry stays.
func (q *Queue) unlistUnlessTrue(ctx context.Context, e driver.Entry) {
	id := deferred.ID(e.Name)
	if now, err := q.records.ReadLatest(ctx, id); err == nil && (now.Record == nil || !now.Record.Unhandled()) {
		_ = q.records.UnlistUnhandled(ctx, id, e.Revision)
	}
}

func (q *Queue) showUnhandled(ctx context.Context, entries []driver.Entry, yield func(deferred.Record, error) bool) bool {
	if len(entries) == 0 {
		return true
	}
	keys := make([]driver.Key, len(entries))
	for i, e := range entries {
		keys[i] = records.Key(deferred.ID(e.Name))
	}
	stored, err := q.records.Store.Read(ctx, keys)
	if err != nil {
		yield(deferred.Record{}, fmt.Errorf("dispatch: list unhandled: %w", err))
		return false
	}
	for i, e := range stored {
		r, err := records.DecodeOwn(e)
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
