package dispatch

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
)

// doNow carries out a command whose message is stored. After a conflict or a lost
// answer it asks the leader. In some cases it waits until a worker has carried the
// command out:
//
//   - The caller may not ask the leader, or may not write the record.
//   - The caller comes late and finds no record: a worker may have carried the command
//     out, and the record may be forgotten.
func (q *Queue) doNow(ctx context.Context, c *deferred.Command, given time.Time) error {
	t, read, tried := liveness.NewTries(), q.records.Read, false
	for {
		now, err := read(ctx, c.ID)
		if tried && err != nil && !liveness.Retriable(err) && ctx.Err() == nil { // perhaps the caller may not ask the leader
			return q.untilAnswered(ctx, c)
		}
		if err == nil {
			read, tried = q.records.ReadLatest, true
			err = q.obeyNow(ctx, c, &now, given)
		}
		switch {
		case errors.Is(err, errWaits):
			return q.untilAnswered(ctx, c)
		case errors.Is(err, driver.ErrConflict):
			t.Gained() // another client has written the record
		case err == nil || !t.Again(ctx, err):
			return err
		}
	}
}

// errWaits says that a worker is to carry out the command.
var errWaits = errors.New("dispatch: the command waits for a worker")

// obeyNow carries out a command on a record as it was read.
func (q *Queue) obeyNow(ctx context.Context, c *deferred.Command, now *records.Sighting, given time.Time) error {
	r := now.Record
	forgotten := r == nil && stoodStill(given, time.Now(), q.config.Lease) // perhaps it existed
	if r == nil {
		r = &deferred.Record{ID: c.ID, State: deferred.Pending}
	}
	switch {
	case r.Seen || r.State.Settled():
	case maybeEarly(c.Verb):
		if met, err := q.meetPromise(ctx, r); !met {
			return err // nil: the message stays until a worker meets the promise
		}
	case c.Verb == deferred.Add:
		return errWaits
	}
	if forgotten {
		return errWaits
	}
	if answered, err := protocol.Reply(r, c); answered {
		return err
	}
	if err := q.applyTo(ctx, r, c); err != nil {
		return err
	}
	_, err := q.records.Write(ctx, r, now.Revision, 0)
	if err == nil && c.Verb == deferred.Release {
		short, cancel := context.WithTimeout(ctx, noticeLimit)
		defer cancel()
		_ = q.records.FireSchedule(short, c.ID) // a hint; the worker that meets the command gives it too
	}
	return err
}

// meetPromise takes in a promise whose message no worker has met yet. So a caller that
// settles the promise learns whether its command counts.
func (q *Queue) meetPromise(ctx context.Context, r *deferred.Record) (met bool, err error) {
	if _, err := q.records.AbsorbMessages(ctx, r); err != nil {
		return false, err
	}
	if r.Promise != "" {
		r.State = deferred.Waiting
	}
	return r.Seen, nil
}

func (q *Queue) applyTo(ctx context.Context, r *deferred.Record, c *deferred.Command) (err error) {
	switch c.Verb {
	case deferred.Cancel:
		err = q.records.Cancel(ctx, r, c)
	case deferred.Resolve, deferred.Reject:
		protocol.SettleOutside(r, c)
	default:
		protocol.Change(r, c)
		return nil
	}
	r.Settled = q.records.Clock.Now()
	return err
}

// untilAnswered waits until the record answers the command.
func (q *Queue) untilAnswered(ctx context.Context, c *deferred.Command) error {
	answers, refused := make(chan error, 1), make(chan error, 1)
	following, stop := context.WithCancel(ctx)
	defer stop()
	q.hub.follow(following, c.ID, func(r *deferred.Record, _ uint64) bool {
		answered, err := protocol.Reply(r, c)
		if answered {
			select {
			case answers <- err:
			default:
			}
		}
		return !answered
	}, failOnce(refused))
	select {
	case err := <-answers:
		return err
	case err := <-refused:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
