package dispatch

import (
	"context"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

// passCancel cancels the members from which a deferred has detached and that no other
// deferred wants. The deferred detaches first: of two that do so at the same time, the
// later one sees that the other has gone. A member that no worker has met is cancelled
// only if a message of it stands, since otherwise it may never have existed.
func (f *feed) passCancel(ctx context.Context, r *deferred.Record, members map[deferred.ID]protocol.Member) error {
	var cancels []driver.Message
	for id, m := range members {
		if !m.Unwanted {
			continue
		}
		if !m.Met {
			nowhere, err := f.records.Unknown(ctx, id)
			if err != nil {
				return err
			}
			if nowhere {
				continue
			}
		}
		c, err := wire.CommandMessage(deferred.Command{Verb: deferred.Cancel, ID: id, Reason: protocol.CancelReason(r)})
		if err != nil {
			return err
		}
		cancels = append(cancels, c)
	}
	return f.records.PutAll(ctx, cancels)
}
