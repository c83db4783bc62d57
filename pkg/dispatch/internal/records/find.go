package records

import (
	"context"
	"fmt"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// AbsorbMessages looks for the call of an open record that is to be settled without it:
// it may carry callbacks that no record knows yet. The message stays where it
// is: when it is met, it is finished like that of any settled call, and until
// then the record is kept.
func (rs *Records) AbsorbMessages(ctx context.Context, r *deferred.Record) (args deferred.Content, err error) {
	args = r.Args // of one that waits
	found, err := rs.Find(ctx, r.ID)
	if err != nil {
		return args, err
	}
	for i := range found {
		c, err := wire.Decode(&found[i])
		if err != nil || r.Seen && r.Digest != c.Digest() || !r.Seen && wire.Foreign(&found[i]) {
			continue
		}
		if !r.Seen {
			c.ApplyTo(r, c.Digest())
		}
		args, r.Carried = c.Args, true
	}
	return args, nil
}

// FireSchedule makes the schedule of an id fire at once. Without it the call would come
// at the time of its schedule.
func (rs *Records) FireSchedule(ctx context.Context, id deferred.ID) error {
	found, err := rs.Find(ctx, id)
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].Route != driver.Delay {
			continue
		}
		c, err := wire.Decode(&found[i])
		if err != nil { // an alarm, which carries no call
			continue
		}
		c.Due = time.Unix(0, 0) // a time that has passed by every clock
		m, err := c.Encode(driver.Delay)
		if err != nil {
			return err
		}
		m.At = c.Due
		return rs.Put(ctx, m)
	}
	return nil
}

// Find gives the messages that stand for an id. A broker may miss one that moves
// while it looks. On the longest way, that of an overdue schedule to its lane, there
// are three moves, one right after the other: so before nothing is said to be
// found, it is asked once more for each.
func (rs *Records) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	const moves = 3
	for again := moves; ; again-- {
		found, err := rs.Broker.Find(ctx, id)
		if err != nil {
			return nil, fmt.Errorf("dispatch: find %s: %w", id, err)
		}
		if len(found) > 0 || again == 0 {
			return found, nil
		}
	}
}

// Unknown: nobody has met the id, and no message of it stands. The record is read
// after the search, also by who has read it before: the message may have been met in
// between, and be gone. The leader is asked: what follows is to give the id up.
func (rs *Records) Unknown(ctx context.Context, id deferred.ID) (bool, error) {
	found, err := rs.Find(ctx, id)
	found = slices.DeleteFunc(found, func(d driver.Delivery) bool { return wire.Foreign(&d) }) // no message of it, unless it was met
	if err != nil || len(found) > 0 {
		return false, err
	}
	now, err := rs.ReadLatest(ctx, id)
	return err == nil && (now.Record == nil || !now.Record.Seen), err
}
