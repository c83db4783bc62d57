package dispatch

import (
	"cmp"
	"context"
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
)

// Record is what is known of a deferred. One that no worker has met yet is
// shown by its message: pending, or scheduled. It is asked for again as [Queue.Do] is
// tried again.
func (q *Queue) Record(ctx context.Context, id deferred.ID) (r deferred.Record, err error) {
	if err := cmp.Or(q.life.check(), id.Check()); err != nil {
		return deferred.Record{}, err
	}
	err = liveness.Insist(ctx, func() error { r, err = q.records.Lookup(ctx, id); return err })
	return r, err
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
	case liveness.Hopeless(err):
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
	err := liveness.Insist(ctx, func() (err error) { o, err = q.records.Outcome(ctx, r); return err })
	whole := *r
	whole.Result = o.Result
	return whole, err
}
