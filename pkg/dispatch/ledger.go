package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"zasync/pkg/deferred"
)

// Record is what is known of a deferred. One that no worker has met yet is
// shown by its message: pending, or scheduled.
func (q *Queue) Record(ctx context.Context, id deferred.ID) (deferred.Record, error) {
	if err := id.Check(); err != nil {
		return deferred.Record{}, err
	}
	s, err := q.readRecord(ctx, id)
	if err != nil {
		return deferred.Record{}, err
	}
	r := s.record
	if r != nil && (r.Seen || r.State.Settled()) {
		return *r, nil
	}
	found, hidden := q.find(ctx, id)
	if hidden != nil && !errors.Is(hidden, ErrNotPermitted) { // who may not look at messages sees records
		return deferred.Record{}, hidden
	}
	for i := range found {
		if seen, ok := q.preview(&found[i]); ok && !found[i].foreign() {
			return overStub(r, seen), nil
		}
	}
	if r != nil {
		return *r, nil
	}
	// The call may have been claimed and settled between the two looks.
	if s, err = q.readRecord(ctx, id); err != nil || s.record != nil {
		return orZero(s.record), err
	}
	if hidden != nil {
		return deferred.Record{}, fmt.Errorf("%w: %s has no record, and for its message: %w", deferred.ErrNotFound, id, hidden)
	}
	return deferred.Record{}, fmt.Errorf("%w: %s", deferred.ErrNotFound, id)
}

func orZero(r *deferred.Record) deferred.Record {
	if r == nil {
		return deferred.Record{}
	}
	return *r
}

// overStub is what is shown of a call that has a record which has not met it: its
// message, but held if somebody has held it before it was met.
func overStub(stub *deferred.Record, seen deferred.Record) deferred.Record {
	if stub != nil && stub.State == deferred.Held {
		seen.State, seen.HoldReason = stub.State, stub.HoldReason
	}
	return seen
}

// preview is the record that a waiting message stands for.
func (q *Queue) preview(d *Delivery) (deferred.Record, bool) {
	c, err := parse(d)
	if err != nil {
		return deferred.Record{}, false
	}
	r := deferred.Record{ID: d.ID, State: deferred.Pending}
	c.into(&r, c.digest())
	if c.due.After(r.NotBefore) {
		r.NotBefore = c.due
	}
	switch {
	case c.Join != nil, c.Promise != "", d.Route == Later && c.After != nil:
		r.State = deferred.Waiting
	case r.NotBefore.After(q.clock.now()):
		r.State = deferred.Scheduled
	}
	return r, true
}

// Await returns the record when it has settled. One that has already costs one
// read.
func (q *Queue) Await(ctx context.Context, id deferred.ID) (deferred.Record, error) {
	if err := id.Check(); err != nil {
		return deferred.Record{}, err
	}
	now, err := q.readRecord(ctx, id)
	switch {
	case errors.Is(err, ErrNotPermitted):
		return deferred.Record{}, err
	case err == nil && settled(now.record):
		return q.awaited(ctx, now.record)
	}
	defer deferred.Awaiting(ctx, id)()
	ended, refused := make(chan *deferred.Record, 1), make(chan error, 1)
	following, stop := context.WithCancel(ctx)
	defer stop()
	q.hub.follow(following, id, func(r *deferred.Record, _ uint64) bool {
		if !r.State.Settled() {
			return true
		}
		select {
		case ended <- r:
		default:
		}
		return false
	}, failOnce(refused))
	select {
	case r := <-ended:
		return q.awaited(ctx, r)
	case err := <-refused:
		return deferred.Record{}, fmt.Errorf("dispatch: await %s: %w", id, err)
	case <-ctx.Done():
		return deferred.Record{}, fmt.Errorf("dispatch: await %s: %w", id, context.Cause(ctx))
	}
}

// failOnce keeps the first error.
func failOnce(c chan<- error) func(error) {
	return func(err error) {
		select {
		case c <- err:
		default:
		}
	}
}

// awaited is what somebody is told who has waited, with the whole result.
func (q *Queue) awaited(ctx context.Context, r *deferred.Record) (deferred.Record, error) {
	q.noticed(ctx, r)
	o, err := q.whole(ctx, r)
	whole := *r
	whole.Result = o.Result
	return whole, err
}

// Watch follows the record and the annotations until the deferred has settled.
// Whoever is shown how it ended has seen it, like one who has waited.
func (q *Queue) Watch(ctx context.Context, id deferred.ID) iter.Seq2[deferred.Change, error] {
	return func(yield func(deferred.Change, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		changes, err := q.store.Watch(ctx, []Key{recordKey(id), noteKey(id, "*")})
		if err != nil {
			yield(deferred.Change{}, fmt.Errorf("dispatch: watch %s: %w", id, err))
			return
		}
		w := &watcher{queue: q, id: id, yield: yield, shown: map[Key]uint64{}}
		if w.record, err = q.Record(ctx, id); errors.Is(err, deferred.ErrNotFound) {
			w.record.Submitted = q.clock.now() // annotations that are there are left over
		}
		tick := time.NewTicker(reread)
		defer tick.Stop()
		for more := w.read(ctx); more; {
			select {
			case e, ok := <-changes:
				if !ok {
					changes = nil
					continue
				}
				more = w.show(ctx, e)
			case <-tick.C:
				more = w.read(ctx)
			case <-ctx.Done():
				yield(deferred.Change{}, context.Cause(ctx))
				return
			}
		}
	}
}

// watcher shows each revision once, and no older one after it.
type watcher struct {
	queue  *Queue
	id     deferred.ID
	yield  func(deferred.Change, error) bool
	shown  map[Key]uint64
	record deferred.Record // the latest, shown or not
}

// read shows what there is; false when there is nothing more to watch. The
// annotations come first, so that those of a settled deferred are seen.
func (w *watcher) read(ctx context.Context) bool {
	entries, err := w.queue.store.Read(ctx, []Key{recordKey(w.id)})
	if errors.Is(err, ErrNotPermitted) {
		w.yield(deferred.Change{}, err)
		return false
	}
	if err != nil {
		return ctx.Err() == nil || w.yield(deferred.Change{}, err)
	}
	for e, err := range w.queue.store.List(ctx, Query{Space: Notes, Prefix: string(w.id) + "."}) {
		if err == nil && !w.show(ctx, e) {
			return false
		}
	}
	return entries[0].Revision == 0 || w.show(ctx, entries[0])
}

func (w *watcher) show(ctx context.Context, e Entry) bool {
	if e.Revision <= w.shown[e.Key] {
		return true
	}
	w.shown[e.Key] = e.Revision
	if e.Space == Notes {
		n, err := decodeNote(e, w.record.Attempt)
		return err != nil || earlier(e, &w.record) || w.yield(deferred.Change{Note: &n}, nil)
	}
	var r deferred.Record
	if json.Unmarshal(e.Value, &r) != nil {
		return true
	}
	w.record = r
	if r.State.Settled() { // said first: who is shown the end may be gone at once
		w.queue.noticed(ctx, &r)
	}
	return w.yield(deferred.Change{Record: &r}, nil) && !r.State.Settled()
}
