package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

// Do gives a command as one durable message, and then carries it out as far as
// the caller's answer needs; the message finishes what the caller does not live
// to finish. Nil to a caller who may not look at the record means that it is stored.
// While the server is away or elects a leader it is tried again until ctx ends, for ten
// seconds where ctx has no end. An [ErrUnknown] says that the command may be stored and
// carried out, an [ErrUnanswered] that it is and will be.
func (q *Queue) Do(ctx context.Context, c deferred.Command) error {
	if err := q.life.check(); err != nil {
		return err
	}
	err := q.give(ctx, c)
	var late *deferred.SettledError
	if errors.As(err, &late) {
		q.complete(ctx, late)
	}
	return err
}

// complete gives whoever came too late the whole result.
func (q *Queue) complete(ctx context.Context, late *deferred.SettledError) {
	now, err := q.records.Read(ctx, late.ID)
	if err != nil || now.Record == nil || now.Record.ResultOf == "" {
		return
	}
	if o, err := q.records.Outcome(ctx, now.Record); err == nil {
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
	case errors.Is(err, driver.ErrNotPermitted): // to give a command is a right of its own
	case err == nil:
		if answered, err := protocol.Reply(&r, &c); answered {
			return err
		}
	case !errors.Is(err, deferred.ErrNotFound) || !maybeEarly(c.Verb):
		return err
	}
	m, err := wire.CommandMessage(c)
	if err != nil {
		return err
	}
	given, err := q.putCommand(ctx, m, &c)
	if err != nil {
		return fmt.Errorf("dispatch: %s %s: %w", c.Verb, c.ID, err)
	}
	q.learnTime(ctx, &c)
	err = q.doNow(ctx, &c, given)
	if errors.Is(err, driver.ErrNotPermitted) {
		err = q.untilAnswered(ctx, &c)
	}
	switch {
	case errors.Is(err, driver.ErrNotPermitted): // it is stored: who may not look is told no more
		return nil
	case liveness.Retriable(err), errors.Is(err, driver.ErrClosed), ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return fmt.Errorf("dispatch: %s %s: %w: %w", c.Verb, c.ID, ErrUnanswered, liveness.WithCause(ctx, err))
	}
	return err
}

// ErrUnanswered: a command is stored, and will be carried out by a worker; what came of
// it could not be learnt. The error says why. The record will tell.
var ErrUnanswered = errors.New("dispatch: the command is stored and will be carried out, but what came of it is not known")

// putCommand stores the message of a command. A second one of it is harmless. It tells
// when the first try began that may have been stored.
func (q *Queue) putCommand(ctx context.Context, m driver.Message, c *deferred.Command) (given time.Time, err error) {
	t, maybe := liveness.NewTries(), false
	for {
		if !maybe {
			given = time.Now()
		}
		s := q.records.Broker.Put(ctx, []driver.Message{m})[0]
		maybe = maybe || errors.Is(s.Err, driver.ErrUnknown)
		if c.Seq = s.Seq; s.Err == nil {
			return given, nil
		}
		if !t.Again(ctx, s.Err) {
			return given, liveness.OfAll(ctx, maybe, s.Err)
		}
	}
}

// learnTime asks for the server's time, by which a record says when it settled and lives
// on: a process without a worker has its own clock only. The message that it has just
// stored bears a fresh stamp. If it is gone already, so is what there was to write.
func (q *Queue) learnTime(ctx context.Context, c *deferred.Command) {
	if !q.records.Clock.Unknown(time.Now()) {
		return
	}
	short, cancel := context.WithTimeout(ctx, time.Second) // it may not be permitted
	defer cancel()
	for d, err := range q.records.Broker.Pending(short, driver.Page{Route: driver.Commands, After: c.Seq - 1, Limit: 1}) {
		if err == nil && d.Seq == c.Seq {
			q.records.Clock.Sample(d.Got, d.Time, true)
		}
	}
}

// maybeEarly: whoever holds the token of a promise may use it before the
// promise has been seen.
func maybeEarly(v deferred.Verb) bool { return v == deferred.Resolve || v == deferred.Reject }
