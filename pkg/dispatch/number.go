package dispatch

import (
	"context"
	"errors"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// disown sets a message aside that has no right to its number. It notes nothing under the
// number, which belongs to another call. A replica that lags may have given the record. So
// disown writes the record again, which says no more than before. Only the success of that
// write makes certain that no worker has met the call.
func (f *feed) disown(ctx context.Context, h *holding, why string) (err error) {
	r := &deferred.Record{ID: h.delivery.ID, State: deferred.Pending}
	if h.Record != nil {
		*r = h.Record.Clone()
	}
	if _, err := f.records.Write(ctx, r, h.Revision, 0); err != nil {
		if errors.Is(err, driver.ErrConflict) || errors.Is(err, driver.ErrUnknown) {
			return errors.New("it is not known yet whether its number is its own")
		}
		return err
	}
	return f.records.SetAside(ctx, h.delivery, "malformed", why)
}
