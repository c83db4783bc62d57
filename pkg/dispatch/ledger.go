package dispatch

import (
	"cmp"
	"context"
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
)

// Record gives the record of a deferred. If no worker has met the call yet, Record makes
// one from its message: pending, scheduled or waiting. It tries again as [Queue.Do] does.
func (q *Queue) Record(ctx context.Context, id deferred.ID) (r deferred.Record, err error) {
	if err := cmp.Or(q.life.check(), id.Check()); err != nil {
		return deferred.Record{}, err
	}
	err = liveness.Insist(ctx, func() error { r, err = q.records.Lookup(ctx, id); return err })
	return r, err
}

// Await waits until a deferred has settled, and returns its record. If it has settled
// already, that costs one read of the record. While the server is away, Await goes on
// waiting. It ends with [ErrClosed] when the queue is closed, or the connection for good.
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

// awaited gives a caller that has waited the record with the whole result, and notes
// that the caller has seen a failure.
func (q *Queue) awaited(ctx context.Context, r *deferred.Record) (deferred.Record, error) {
	q.noticed(ctx, r)
	var o deferred.Outcome
	err := liveness.Insist(ctx, func() (err error) { o, err = q.records.Outcome(ctx, r); return err })
	whole := *r
	whole.Result = o.Result
	return whole, err
}
