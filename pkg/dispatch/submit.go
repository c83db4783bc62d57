package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/wire"
)

// Submit stores calls, one message for each. It checks everything about a call before it
// sends any message. A user with the right to submit and not to read learns nothing of
// another call under the id. While the server is away or elects a leader, Submit tries
// again until ctx ends, or for ten seconds if ctx has no end. An [ErrUnknown] of a call
// says that the call may be stored. After any other error it is not stored.
func (q *Queue) Submit(ctx context.Context, calls ...deferred.Call) ([]*deferred.Deferred, error) {
	b := &batch{queue: q, results: make([]*deferred.Deferred, len(calls)), errs: make([]error, len(calls))}
	for i := range calls {
		b.add(ctx, i, calls[i])
	}
	b.send(ctx)
	for _, err := range b.errs {
		if err != nil {
			return b.results, &deferred.BatchError{Errs: b.errs}
		}
	}
	return b.results, nil
}

// batch holds the calls of one Submit, with the handle or the error of each.
type batch struct {
	queue    *Queue
	results  []*deferred.Deferred
	errs     []error
	messages []driver.Message // to be sent
	sent     []submission     // the calls of the messages
}

// A submission is a call whose message has had no answer yet.
type submission struct {
	call  deferred.Call
	place int   // among the results
	maybe bool  // a message of it may be stored
	err   error // of the last try
}

func (b *batch) add(ctx context.Context, i int, c deferred.Call) {
	chosen := c.ID != ""
	if !chosen {
		c.ID = deferred.NewID()
	}
	err := cmp.Or(b.queue.life.check(), c.Check())
	if err == nil && chosen && wire.Number(c.ID) != 0 {
		err = &deferred.InputError{Field: deferred.FieldID, Value: string(c.ID), Rule: "may be the number of another call: choose one that is not of digits only"}
	}
	blind := false
	if err == nil && chosen {
		known := false
		err = liveness.Insist(ctx, func() (err error) { known, err = b.queue.sameCall(ctx, &c); return err })
		if known {
			b.results[i] = deferred.OpenExisting(b.queue, c.ID)
			return
		}
		if blind = errors.Is(err, driver.ErrNotPermitted); blind {
			err = nil
		}
	}
	var m driver.Message
	if err == nil {
		m, err = wire.Encode(&c, wire.RouteOf(&c))
	}
	if err != nil {
		b.errs[i] = err
		return
	}
	m.Unique = chosen && !blind // else a second message of the same call changes nothing, and a worker sets another call aside
	b.messages, b.sent = append(b.messages, m), append(b.sent, submission{call: c, place: i})
}

func (b *batch) send(ctx context.Context) {
	t := liveness.NewTries()
	for len(b.messages) > 0 {
		n := len(b.messages)
		b.settle(ctx, b.queue.records.Broker.Put(ctx, b.messages))
		if len(b.messages) < n {
			t.Gained()
		}
		if len(b.messages) > 0 && !t.More(ctx) {
			for i := range b.sent {
				b.fail(ctx, &b.sent[i])
			}
			return
		}
	}
}

// settle takes the answers in. A message that is not surely stored stays, and is sent again
// if that may help: a second message of a call changes nothing.
func (b *batch) settle(ctx context.Context, stored []driver.Stored) {
	again := &batch{}
	for i, answer := range stored {
		s := b.sent[i]
		known := false
		if s.err = answer.Err; errors.Is(s.err, driver.ErrExists) {
			if known, s.err = b.queue.sameCall(ctx, &s.call); s.err == nil && !known {
				s.err = driver.ErrUnknown // its message stood there a moment ago
			}
		}
		s.maybe = s.maybe || errors.Is(s.err, driver.ErrUnknown)
		switch {
		case s.err == nil && known:
			b.results[s.place] = deferred.OpenExisting(b.queue, s.call.ID)
		case s.err == nil:
			b.results[s.place] = deferred.Open(b.queue, s.call.ID)
		case liveness.Retriable(s.err):
			again.messages, again.sent = append(again.messages, b.messages[i]), append(again.sent, s)
		default:
			b.fail(ctx, &s)
		}
	}
	b.messages, b.sent = again.messages, again.sent
}

func (b *batch) fail(ctx context.Context, s *submission) {
	b.errs[s.place] = fmt.Errorf("dispatch: submit %s: %w", s.call.ID, liveness.OfAll(ctx, s.maybe, s.err))
}

// sameCall reports whether the call stands under its id already, as a record that has met
// it or as a message. If another call stands there, the error is a
// [*deferred.IDInUseError].
func (q *Queue) sameCall(ctx context.Context, c *deferred.Call) (bool, error) {
	want := wire.Digest(c)
	now, err := q.records.Read(ctx, c.ID)
	if err != nil {
		return false, err
	}
	if r := now.Record; r != nil && r.Seen {
		if r.Digest != want {
			return false, &deferred.IDInUseError{ID: c.ID}
		}
		return true, nil
	}
	// A message that moves just now may be missed: a second one changes nothing.
	found, err := q.records.Broker.Find(ctx, c.ID)
	if err != nil {
		return false, fmt.Errorf("dispatch: find %s: %w", c.ID, err)
	}
	for i := range found {
		if other, err := wire.Decode(&found[i]); err != nil || other.Digest() != want {
			return false, &deferred.IDInUseError{ID: c.ID}
		}
	}
	return len(found) > 0, nil
}
