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

// AbsorbMessages takes the call of an open record into it, before the record settles
// without an attempt: the message may carry callbacks that no record has. The message
// stays. The record is kept until a worker meets the message and finishes it.
func (rs *Records) AbsorbMessages(ctx context.Context, r *deferred.Record) (args deferred.Content, err error) {
	args = r.Args // a waiting record has them
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

// Find gives the messages of an id. A broker may miss a message that moves to another
// stream meanwhile. The longest way, from an overdue schedule to its lane, has three
// moves. So Find asks once more for each of them before it reports no message.
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

// Unknown reports whether an id has neither a message nor a record that has met its
// call. It reads the record after the search, since a worker may have met the message in
// between. It asks the leader, since the caller is about to give the id up.
func (rs *Records) Unknown(ctx context.Context, id deferred.ID) (bool, error) {
	found, err := rs.Find(ctx, id)
	found = slices.DeleteFunc(found, func(d driver.Delivery) bool { return wire.Foreign(&d) }) // the message of another call
	if err != nil || len(found) > 0 {
		return false, err
	}
	now, err := rs.ReadLatest(ctx, id)
	return err == nil && (now.Record == nil || !now.Record.Seen), err
}
