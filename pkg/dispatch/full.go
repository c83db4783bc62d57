package dispatch

import (
	"context"
	"errors"

	"zasync/pkg/dispatch/driver"
)

// putFired stores the messages for the callbacks and waiters of a settled record. Any
// client may fill the queue, and the message of the settled call stays in it until
// those are stored.
//
// So if there is no room for a call, putFired parks it among the schedules, which only
// workers write. It goes into its lane once there is room; the end of the settled
// call's message makes some. A message for the housekeeping is not parked, since a
// schedule becomes a call for the workers of a lane.
func (f *feed) putFired(ctx context.Context, messages []driver.Message) error {
	err := f.records.PutAll(ctx, messages)
	if !errors.Is(err, driver.ErrFull) {
		return err
	}
	for _, m := range messages {
		err := f.records.Put(ctx, m)
		if errors.Is(err, driver.ErrFull) && m.Route == driver.Ready {
			m.Route, m.At = driver.Delay, f.records.Clock.Now()
			err = f.records.Put(ctx, m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
