package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

// Record is what is known of a deferred. One that no worker has met yet is
// shown by its message: pending, or scheduled. It is asked for again as [Queue.Do] is
// tried again.
func (q *Queue) Record(ctx context.Context, id deferred.ID) (r deferred.Record, err error) {
	if err := cmp.Or(q.life.check(), id.Check()); err != nil {
		return deferred.Record{}, err
	}
	err = insist(ctx, func() error { r, err = q.record(ctx, id); return err })
	return r, err
}

func (q *Queue) record(ctx context.Context, id deferred.ID) (deferred.Record, error) {
	s, err := q.records.Read(ctx, id)
	if err != nil {
		return deferred.Record{}, err
	}
	r := s.Record
	if r != nil && (r.Seen || r.State.Settled()) {
		return *r, nil
	}
	found, hidden := q.records.Find(ctx, id)
	if hidden != nil && !errors.Is(hidden, driver.ErrNotPermitted) { // who may not look at messages sees records
		return deferred.Record{}, hidden
	}
	for i := range found {
		if seen, ok := q.preview(&found[i]); ok && !wire.Foreign(&found[i]) {
			return overStub(r, seen), nil
		}
	}
	if r != nil {
		return *r, nil
	}
	// The call may have been claimed and settled between the two looks.
	if s, err = q.records.Read(ctx, id); err != nil || s.Record != nil {
		return orZero(s.Record), err
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
func (q *Queue) preview(d *driver.Delivery) (deferred.Record, bool) {
	c, err := wire.Decode(d)
	if err != nil {
		return deferred.Record{}, false
	}
	r := deferred.Record{ID: d.ID, State: deferred.Pending}
	c.ApplyTo(&r, c.Digest())
	if c.Due.After(r.NotBefore) {
		r.NotBefore = c.Due
	}
	switch {
	case c.Join != nil, c.Promise != "", d.Route == driver.Later && c.After != nil:
		r.State = deferred.Waiting
	case r.NotBefore.After(q.records.Clock.Now()):
		r.State = deferred.Scheduled
	}
	return r, true
}

// Await returns the record when it has settled. One that has already costs one
// read. While the server is away it goes on waiting; when the connection is closed for
// good, or the queue, it ends with [ErrClosed].
func (q *Queue) Await(ctx context.Context, id deferred.ID) (deferred.Record, error) {
	if err := cmp.Or(q.life.check(), id.Check()); err != nil {
		return deferred.Record{}, err
	}
	now, err := q.records.Read(ctx, id)
	switch {
	case hopeless(err):
		return deferred.Record{}, fmt.Errorf("dispatch: await %s: %w", id, err)
	case err == nil && protocol.IsSettled(now.Record):
		return q.awaited(ctx, now.Record)
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
	var o deferred.Outcome
	err := insist(ctx, func() (err error) { o, err = q.records.Outcome(ctx, r); return err })
	whole := *r
	whole.Result = o.Result
	return whole, err
}
