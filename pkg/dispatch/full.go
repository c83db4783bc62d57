package dispatch

import (
	"context"
	"errors"

	"zasync/pkg/dispatch/driver"
)

// putFired stores what hangs on a settled record. Anybody may fill the queue, and
// the message of the settled call stands in it for as long as its callbacks are
// not stored. So what there is no room for is parked among the schedules, which
// only workers write; it goes into its lane once there is room, and the message
// that it hung on makes some. What belongs to the housekeeping is not parked,
// since a schedule becomes a call for the workers of a lane.
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
