package dispatch

import (
	"context"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// passesCancel: what a deferred waited for is cancelled with it, if nobody else
// waits for that: of a cancelled one, of an adopter also when it expires, and of a
// join that was told to the losers. A race that took a cancelled member's outcome
// over was not cancelled itself.
func passesCancel(r *deferred.Record) bool {
	w := r.Waits
	return r.State == deferred.Cancelled && w.Winner == "" || w.CancelRest ||
		r.State == deferred.Expired && w.Mode == deferred.AdoptInner
}

// A member is what a deferred knew of one that it waited for when it let go.
type member struct {
	unwanted bool // it is open, and nobody else waits for it
	met      bool // it has been seen, or knew of the deferred
}

func memberOf(r *deferred.Record, waiter deferred.ID) member {
	return member{unwanted: !r.State.Settled() && !wantedByOthers(r, waiter), met: r.Seen || r.Attached(waiter) != nil}
}

// passCancel cancels those that were let go of and that nobody else wants. They
// were let go of first: of two that do so at the same time, the later one sees
// that the other has gone. Of what nobody has met there must be a message, else it
// may never have been.
func (f *feed) passCancel(ctx context.Context, r *deferred.Record, members map[deferred.ID]member) error {
	var cancels []driver.Message
	for id, m := range members {
		if !m.unwanted {
			continue
		}
		if !m.met {
			nowhere, err := f.nowhere(ctx, id)
			if err != nil {
				return err
			}
			if nowhere {
				continue
			}
		}
		c, err := wire.CommandMessage(deferred.Command{Verb: deferred.Cancel, ID: id, Reason: cancelReason(r)})
		if err != nil {
			return err
		}
		cancels = append(cancels, c)
	}
	return f.putAll(ctx, cancels)
}

// wantedByOthers: something that did not travel with the call hangs on it, apart
// from the one that waits no more.
func wantedByOthers(m *deferred.Record, waiter deferred.ID) bool {
	for _, cb := range m.Callbacks {
		if cb.Waiter && cb.ID != waiter && !cb.Settled {
			return true
		}
	}
	return false
}

func cancelReason(r *deferred.Record) string {
	switch r.State {
	case deferred.Cancelled:
		if r.Failure != nil {
			return r.Failure.Message
		}
	case deferred.Expired:
		return "its adopter " + string(r.ID) + " has expired"
	}
	return "the join " + string(r.ID) + " has settled without it"
}
