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

// Do stores a command as one durable message, and then carries it out as far as the
// caller's answer needs. If the caller dies, a worker finishes the command from the
// message. For a caller without the right to read the record, nil means that the
// message is stored.
//
// While the server is away or elects a leader, Do tries again until ctx ends, or for
// ten seconds if ctx has no end. An [ErrUnknown] says that the command may be stored
// and carried out. An [ErrUnanswered] says that it is stored and will be carried out.
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

// complete gives the whole result to a caller that came too late.
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
	case errors.Is(err, driver.ErrNotPermitted): // a caller may have the right to give a command and none to read
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
	case errors.Is(err, driver.ErrNotPermitted): // the command is stored; a caller that may not read learns no more
		return nil
	case liveness.Retriable(err), errors.Is(err, driver.ErrClosed), ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return fmt.Errorf("dispatch: %s %s: %w: %w", c.Verb, c.ID, ErrUnanswered, liveness.WithCause(ctx, err))
	}
	return err
}

// ErrUnanswered says that a command is stored, and that a worker will carry it out. The
// caller could not learn the result: the error says why. The record will tell.
var ErrUnanswered = errors.New("dispatch: the command is stored and will be carried out, but what came of it is not known")

// putCommand stores the message of a command. A second message of it is harmless.
// putCommand also gives the start of the first try that may have been stored.
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

// learnTime learns the server's time. By that time a record says when it settled and
// how long it lives. A process without a worker has only its own clock. The message
// that it has just stored has a fresh time stamp. If the message is gone already,
// nothing is left to write.
func (q *Queue) learnTime(ctx context.Context, c *deferred.Command) {
	if !q.records.Clock.Unknown(time.Now()) {
		return
	}
	short, cancel := context.WithTimeout(ctx, time.Second) // the caller may have no right to this
	defer cancel()
	for d, err := range q.records.Broker.Pending(short, driver.Page{Route: driver.Commands, After: c.Seq - 1, Limit: 1}) {
		if err == nil && d.Seq == c.Seq {
			q.records.Clock.Sample(d.Got, d.Time, true)
		}
	}
}

// maybeEarly reports whether a command may come before its deferred. A client that
// holds the token of a promise may use it before a worker has met the promise.
func maybeEarly(v deferred.Verb) bool { return v == deferred.Resolve || v == deferred.Reject }
