package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/deferred"
)

// Do gives a command as one durable message, and then carries it out as far as
// the caller's answer needs; the message finishes what the caller does not live
// to finish. Nil to a caller who may not look at the record means that it is stored.
func (q *Queue) Do(ctx context.Context, c deferred.Command) error {
	err := q.give(ctx, c)
	var late *deferred.SettledError
	if errors.As(err, &late) {
		q.complete(ctx, late)
	}
	return err
}

// complete gives whoever came too late the whole result.
func (q *Queue) complete(ctx context.Context, late *deferred.SettledError) {
	now, err := q.readRecord(ctx, late.ID)
	if err != nil || now.record == nil || now.record.ResultOf == "" {
		return
	}
	if o, err := q.whole(ctx, now.record); err == nil {
		late.Outcome = o
	}
}

func (q *Queue) give(ctx context.Context, c deferred.Command) error {
	if c.Verb == deferred.Resolve || c.Verb == deferred.Reject {
		c.By = cmp.Or(c.By, string(deferred.NewID()))
	}
	if err := c.Check(); err != nil {
		return err
	}
	if c.Verb == deferred.Attach {
		_, err := deferred.SubmitOne(ctx, q, *c.Call)
		return err
	}
	r, err := q.Record(ctx, c.ID)
	switch {
	case errors.Is(err, ErrNotPermitted): // to give a command is a right of its own
	case err == nil:
		if answered, err := answer(&r, &c); answered {
			return err
		}
	case !errors.Is(err, deferred.ErrNotFound) || !maybeEarly(c.Verb):
		return err
	}
	m, err := commandMessage(c)
	if err != nil {
		return err
	}
	given := time.Now()
	if c.Seq, err = q.putOne(ctx, m); err != nil {
		return fmt.Errorf("dispatch: %s %s: %w", c.Verb, c.ID, err)
	}
	q.learnTime(ctx, &c)
	err = q.doNow(ctx, &c, given)
	if errors.Is(err, ErrNotPermitted) {
		err = q.untilAnswered(ctx, &c)
	}
	if errors.Is(err, ErrNotPermitted) { // it is stored: who may not look is told no more
		return nil
	}
	return err
}

// learnTime asks for the server's time, by which a record says when it settled and lives
// on: a process without a worker has its own clock only. The message that it has just
// stored bears a fresh stamp. If it is gone already, so is what there was to write.
func (q *Queue) learnTime(ctx context.Context, c *deferred.Command) {
	if !q.clock.unknown(time.Now()) {
		return
	}
	short, cancel := context.WithTimeout(ctx, time.Second) // it may not be permitted
	defer cancel()
	for d, err := range q.broker.Pending(short, Page{Route: Commands, After: c.Seq - 1, Limit: 1}) {
		if err == nil && d.Seq == c.Seq {
			q.clock.sample(d.Got, d.Time, true)
		}
	}
}

// maybeEarly: whoever holds the token of a promise may use it before the
// promise has been seen.
func maybeEarly(v deferred.Verb) bool { return v == deferred.Resolve || v == deferred.Reject }

func commandMessage(c deferred.Command) (Message, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return Message{}, fmt.Errorf("dispatch: command: %w", err)
	}
	return Message{Route: Commands, Verb: string(c.Verb), ID: c.ID, Body: body}, nil
}

// doNow carries out a command whose message is stored. After a conflict the leader
// is asked. Whoever may not ask it, or may not write the record, waits until a worker
// has. So does one that comes late and finds no record: the command may have been
// carried out, and the record be forgotten.
func (q *Queue) doNow(ctx context.Context, c *deferred.Command, given time.Time) error {
	read := q.readRecord
	for conflict := false; ; conflict = true {
		now, err := read(ctx, c.ID)
		switch {
		case err != nil && conflict && ctx.Err() == nil:
			return q.untilAnswered(ctx, c)
		case err != nil:
			return err
		}
		read = q.latestRecord
		r := now.record
		if r == nil {
			if stoodStill(given, time.Now(), q.config.Lease) {
				return q.untilAnswered(ctx, c)
			}
			r = &deferred.Record{ID: c.ID, State: deferred.Pending}
		}
		switch {
		case r.Seen || r.State.Settled():
		case maybeEarly(c.Verb):
			if met, err := q.meetPromise(ctx, r); !met {
				return err // nil: it is kept until the promise is met
			}
		case c.Verb == deferred.Add:
			return q.untilAnswered(ctx, c)
		}
		if answered, err := answer(r, c); answered {
			return err
		}
		if err := q.applyTo(ctx, r, c); err != nil {
			return err
		}
		_, err = q.writeRecord(ctx, r, now.revision, 0)
		switch {
		case err == nil && c.Verb == deferred.Release:
			return q.ring(ctx, c.ID)
		case err == nil:
			return nil
		case errors.Is(err, ErrUnknown):
			return q.untilAnswered(ctx, c)
		case !errors.Is(err, ErrConflict):
			return err
		}
	}
}

// meetPromise takes in a promise whose message no worker has met yet, so that
// whoever settles it is told whether his word counts.
func (q *Queue) meetPromise(ctx context.Context, r *deferred.Record) (met bool, err error) {
	if _, err := q.takeIn(ctx, r); err != nil {
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
		err = q.cancelled(ctx, r, c)
	case deferred.Resolve, deferred.Reject:
		settleOutside(r, c)
	default:
		change(r, c)
		return nil
	}
	r.Settled = q.clock.now()
	return err
}

// untilAnswered waits until the record answers the command.
func (q *Queue) untilAnswered(ctx context.Context, c *deferred.Command) error {
	answers, refused := make(chan error, 1), make(chan error, 1)
	following, stop := context.WithCancel(ctx)
	defer stop()
	q.hub.follow(following, c.ID, func(r *deferred.Record, _ uint64) bool {
		answered, err := answer(r, c)
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
		return fmt.Errorf("dispatch: %s %s: %w", c.Verb, c.ID, context.Cause(ctx))
	}
}

// cancelled makes an open record a cancelled one.
func (q *Queue) cancelled(ctx context.Context, r *deferred.Record, c *deferred.Command) error {
	args, err := q.takeIn(ctx, r)
	if err != nil {
		return err
	}
	q.settleCancelled(ctx, r, c)
	r.Args = args
	return nil
}

func (q *Queue) settleCancelled(ctx context.Context, r *deferred.Record, c *deferred.Command) {
	r.Settle(deferred.Cancelled, q.ofAttempt(ctx, r, deferred.CancelFailure(c.Reason)))
	r.SettledBy = c.By
}

// takeIn looks for the call of an open record that is to be settled without it:
// it may carry callbacks that no record knows yet. The message stays where it
// is: when it is met, it is finished like that of any settled call, and until
// then the record is kept.
func (q *Queue) takeIn(ctx context.Context, r *deferred.Record) (args deferred.Content, err error) {
	args = r.Args // of one that waits
	found, err := q.find(ctx, r.ID)
	if err != nil {
		return args, err
	}
	for i := range found {
		c, err := parse(&found[i])
		if err != nil || r.Seen && r.Digest != c.digest() || !r.Seen && found[i].foreign() {
			continue
		}
		if !r.Seen {
			c.into(r, c.digest())
		}
		args, r.Carried = c.Args, true
	}
	return args, nil
}
