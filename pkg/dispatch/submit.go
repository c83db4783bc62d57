package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/deferred"
)

// Submit stores calls, each with one message. Everything about a call is
// checked before anything is sent. Who may submit and not look learns nothing of
// another call that stands under the id.
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

// batch is the calls of one Submit, with what became of each.
type batch struct {
	queue    *Queue
	results  []*deferred.Deferred
	errs     []error
	messages []Message
	calls    []deferred.Call // of the messages
	places   []int           // of the messages, among the results
}

func (b *batch) add(ctx context.Context, i int, c deferred.Call) {
	chosen := c.ID != ""
	if !chosen {
		c.ID = deferred.NewID()
	}
	err := c.Check()
	if err == nil && chosen && number(c.ID) != 0 {
		err = &deferred.InputError{Field: deferred.FieldID, Value: string(c.ID), Rule: "may be the number of another call: choose one that is not of digits only"}
	}
	blind := false
	if err == nil && chosen {
		var known bool
		if known, err = b.queue.sameCall(ctx, &c); known {
			b.results[i] = deferred.OpenExisting(b.queue, c.ID)
			return
		}
		if blind = errors.Is(err, ErrNotPermitted); blind {
			err = nil
		}
	}
	var m Message
	if err == nil {
		m, err = message(&c, routeOf(&c))
	}
	if err != nil {
		b.errs[i] = err
		return
	}
	m.Unique = chosen && !blind // a second message of the same call changes nothing, and another one is set aside
	b.messages, b.calls, b.places = append(b.messages, m), append(b.calls, c), append(b.places, i)
}

// routeOf keeps what must wait from standing before what is ready. What cancels is a
// command, to which one needs a right of its own.
func routeOf(c *deferred.Call) Route {
	if c.Join != nil && c.Join.CancelRest {
		return Commands
	}
	if c.Delay > 0 || !c.NotBefore.IsZero() || !c.Deadline.IsZero() || c.After != nil || c.Join != nil || c.Promise != "" {
		return Later
	}
	return Ready
}

func (b *batch) send(ctx context.Context) {
	for wait := 50 * time.Millisecond; len(b.messages) > 0; wait = min(2*wait, time.Second) {
		b.settle(ctx, b.queue.broker.Put(ctx, b.messages))
		if len(b.messages) > 0 && pause(ctx, wait) != nil {
			for i := range b.messages {
				b.errs[b.places[i]] = fmt.Errorf("dispatch: submit %s: %w: %w", b.calls[i].ID, ErrUnknown, context.Cause(ctx))
			}
			return
		}
	}
}

// settle takes the answers in. What got none stays, to be sent again: a second
// message of a call changes nothing.
func (b *batch) settle(ctx context.Context, stored []Stored) {
	again := &batch{}
	for i, s := range stored {
		c, place := b.calls[i], b.places[i]
		err := s.Err
		known := false
		if errors.Is(err, ErrExists) {
			if known, err = b.queue.sameCall(ctx, &c); err == nil && !known {
				err = ErrUnknown // it was there a moment ago
			}
		}
		switch {
		case err == nil && known:
			b.results[place] = deferred.OpenExisting(b.queue, c.ID)
		case err == nil:
			b.results[place] = deferred.Open(b.queue, c.ID)
		case errors.Is(err, ErrUnknown):
			again.messages, again.calls, again.places = append(again.messages, b.messages[i]), append(again.calls, c), append(again.places, place)
		default:
			b.errs[place] = fmt.Errorf("dispatch: submit %s: %w", c.ID, err)
		}
	}
	b.messages, b.calls, b.places = again.messages, again.calls, again.places
}

// sameCall reports whether the call stands under its id already, as a record
// that has met it or as a message. Another call there is an [*deferred.IDInUseError].
func (q *Queue) sameCall(ctx context.Context, c *deferred.Call) (bool, error) {
	want := digest(c)
	now, err := q.readRecord(ctx, c.ID)
	if err != nil {
		return false, err
	}
	if r := now.record; r != nil && r.Seen {
		if r.Digest != want {
			return false, &deferred.IDInUseError{ID: c.ID}
		}
		return true, nil
	}
	// One that moves just now may be missed: a second message of it changes nothing.
	found, err := q.broker.Find(ctx, c.ID)
	if err != nil {
		return false, fmt.Errorf("dispatch: find %s: %w", c.ID, err)
	}
	for i := range found {
		if other, err := parse(&found[i]); err != nil || other.digest() != want {
			return false, &deferred.IDInUseError{ID: c.ID}
		}
	}
	return len(found) > 0, nil
}
