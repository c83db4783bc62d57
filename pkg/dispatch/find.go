package dispatch

import (
	"context"
	"fmt"
	"slices"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// find gives the messages that stand for an id. A broker may miss one that moves
// while it looks. On the longest way, that of an overdue schedule to its lane, there
// are three moves, one right after the other: so before nothing is said to be
// found, it is asked once more for each.
func (rs *Records) find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
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

// nowhere: nobody has met the id, and no message of it stands. The record is read
// after the search, also by who has read it before: the message may have been met in
// between, and be gone. The leader is asked: what follows is to give the id up.
func (rs *Records) nowhere(ctx context.Context, id deferred.ID) (bool, error) {
	found, err := rs.find(ctx, id)
	found = slices.DeleteFunc(found, func(d driver.Delivery) bool { return wire.Foreign(&d) }) // no message of it, unless it was met
	if err != nil || len(found) > 0 {
		return false, err
	}
	now, err := rs.latestRecord(ctx, id)
	return err == nil && (now.record == nil || !now.record.Seen), err
}
