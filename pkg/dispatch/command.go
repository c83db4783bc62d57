package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"zasync/pkg/deferred"
)

// Do gives a command as one durable message, and then carries it out as far as
// the caller's answer needs; the message finishes what the caller does not live
// to finish.
func (q *Queue) Do(ctx context.Context, c deferred.Command) error {
	if c.Verb != deferred.Cancel {
		return fmt.Errorf("dispatch: there is no command %q", string(c.Verb))
	}
	if err := c.ID.Check(); err != nil {
		return err
	}
	r, err := q.Record(ctx, c.ID)
	switch {
	case err != nil:
		return err
	case r.State.Settled():
		return tooLate(&r)
	}
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("dispatch: command: %w", err)
	}
	if err := q.put(ctx, Message{Route: Commands, Verb: string(c.Verb), ID: c.ID, Body: body}); err != nil {
		return fmt.Errorf("dispatch: %s %s: %w", c.Verb, c.ID, err)
	}
	return q.cancelNow(ctx, c)
}

// tooLate is nil for what is cancelled already.
func tooLate(r *deferred.Record) error {
	if r.State == deferred.Cancelled {
		return nil
	}
	return &deferred.SettledError{ID: r.ID, State: r.State}
}

func (q *Queue) cancelNow(ctx context.Context, c deferred.Command) error {
	for {
		r, revision, err := q.readRecord(ctx, c.ID)
		if err != nil {
			return err
		}
		if r != nil && r.State.Settled() {
			return tooLate(r)
		}
		if r == nil {
			r = &deferred.Record{ID: c.ID}
		}
		if err := q.cancelled(ctx, r, c.Reason); err != nil {
			return err
		}
		r.Settled = q.clock.now()
		if _, err = q.writeRecord(ctx, r, revision); err == nil {
			return nil
		}
		if errors.Is(err, ErrUnknown) { // nor may the caller be allowed to write it: a worker will
			settled, err := q.Await(ctx, c.ID)
			if err != nil {
				return err
			}
			return tooLate(&settled)
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

// cancelled makes an open record a cancelled one. Its call is looked for, since
// it may carry callbacks that no record knows yet. The message stays where it
// is: when it is met, it is finished like that of any settled call.
func (q *Queue) cancelled(ctx context.Context, r *deferred.Record, reason string) error {
	found, err := q.broker.Find(ctx, r.ID)
	if err != nil {
		return fmt.Errorf("dispatch: find %s: %w", r.ID, err)
	}
	r.Settle(deferred.Cancelled, deferred.CancelFailure(reason))
	for i := range found {
		c, err := parse(&found[i])
		if err != nil || r.Seen && r.Digest != c.digest() {
			continue
		}
		if !r.Seen {
			c.into(r, c.digest())
		}
		r.Args = c.Args
	}
	return nil
}
