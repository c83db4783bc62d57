package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
	"zasync/pkg/dispatch/internal/wire"
)

// holding is a delivery that this worker holds, with the known facts of its record.
type holding struct {
	feed             *feed
	delivery         driver.Delivery
	call             *wire.Call
	digest           string
	records.Sighting      // of its record
	ahead            bool // a replica may lag behind this holding, which has written or tried to
	parent           *deferred.Record
	members          []*deferred.Record // of a join that is to be settled
	command          *deferred.Command  // nil: the message is a call
	from             deferred.ID        // of a wake: the deferred that has settled
	sent             uint64             // of a wake: the least revision of the sender's record
	proven           uint64             // the least revision of the record, as the message says
	least            time.Duration      // the least time to live of the record when it is written
	looks            time.Duration      // the longest pause between looks of a waiter for which another record had no room; 0: no bound
	taken            bool               // in feed.held
	released         bool               // its credit is free again

	// Guarded by feed.mu, once claimed:
	attempt  *deferred.Attempt
	begun    time.Time
	claimed  uint64    // the revision of the claim
	deadline time.Time // of the call at the claim; the call may get another one after the attempt
	watched  bool
	overdue  bool
	settling bool
	unfollow func()
}

// suspicious reports whether the record counts a death. A takeover counts its death only
// with the claim: so the calls of a worker that died for the first time run at once
// elsewhere. From then on each suspect runs alone, so that a poison call kills no
// innocent calls beside it again.
func (h *holding) suspicious() bool { return h.Record != nil && h.Record.Counts.Deaths > 0 }

// take reserves the id for this delivery, unless this worker has another delivery of
// the id.
func (f *feed) take(h *holding) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if other := f.held[h.delivery.ID]; other != nil {
		return other == h
	}
	f.held[h.delivery.ID] = h
	h.taken = true
	return true
}

// suspectTime is how long a suspect runs alone. A suspect that lives so long is not
// likely to kill its worker. A fleet that was restarted twice has only suspects, and
// must not run them one at a time for ever.
const suspectTime = 30 * time.Second

func (f *feed) takeSuspect(h *holding) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := f.suspect; s != nil && s != h && (s.attempt == nil || time.Since(s.begun) <= suspectTime) {
		return false
	}
	f.suspect = h
	return true
}

func (f *feed) performs(id deferred.ID, except *holding) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	other := f.held[id]
	return other != nil && other != except
}

// ends reserves the end of an attempt for the caller, and reports whether the caller is
// the first. The end is an outcome, a decline, or that the worker leaves.
func (f *feed) ends(h *holding) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !h.settling
	h.settling = true
	return first
}

// drop ends the holding and sends nothing to the broker: the lease runs out.
func (f *feed) drop(h *holding) {
	f.leases.remove(h.delivery)
	f.untake(h)
}

// untake frees the id, so that this worker may look at another message of it.
func (f *feed) untake(h *holding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.taken {
		delete(f.held, h.delivery.ID)
		h.taken = false
	}
	if f.suspect == h {
		f.suspect = nil
	}
	if h.unfollow != nil {
		h.unfollow()
	}
}

// release frees the credit of the delivery for another one, once.
func (f *feed) release(h *holding) {
	if h.released {
		return
	}
	h.released = true
	if h.delivery.Route == driver.Ready {
		f.calls.Release(h.delivery.Lane(), 1)
	} else {
		f.house.Release(h.delivery.Lane(), 1)
	}
}

// acknowledge removes the message: its duty is done, or stored elsewhere.
func (f *feed) acknowledge(ctx context.Context, h *holding) {
	f.settle(ctx, h, driver.Settlement{Delivery: h.delivery, Verdict: driver.Done})
}

// letCome gives the message back: its duty is not done, and does not belong to this
// worker now. It ends the holding and frees its credit.
func (f *feed) letCome(h *holding, after time.Duration, why string, err error) {
	if !f.leases.kept(&h.delivery) { // another worker may hold the message now
		f.letGoSilently(h)
		return
	}
	f.log.Debug("given back", "id", h.delivery.ID, "name", h.delivery.Name, "reason", why, "err", err)
	f.settle(context.Background(), h, driver.Settlement{Delivery: h.delivery, Verdict: driver.GiveBack, After: after}) //nolint:forbidigo // sent to the broker without a wait
	f.release(h)
}

// letGoSilently ends a holding whose lease had a gap, and sends nothing to the broker.
func (f *feed) letGoSilently(h *holding) {
	f.log.Warn("let go: the lease had a gap", "id", h.delivery.ID, "name", h.delivery.Name)
	f.drop(h)
	f.release(h)
}

func (f *feed) settle(ctx context.Context, h *holding, s driver.Settlement) {
	f.drop(h)
	if err := f.records.Broker.Settle(ctx, []driver.Settlement{s}); err != nil {
		f.log.Warn("word to the broker lost", "id", h.delivery.ID, "err", err) // the message comes again
	}
}
