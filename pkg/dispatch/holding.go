package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/records"
	"zasync/pkg/dispatch/internal/wire"
)

// holding is a call that this worker holds: the delivery, and what is known of
// its record.
type holding struct {
	feed             *feed
	delivery         driver.Delivery
	call             *wire.Call
	digest           string
	records.Sighting      // of its record
	ahead            bool // of what a replica may know: this holding has written, or tried to
	parent           *deferred.Record
	members          []*deferred.Record // of a join that is to be settled
	command          *deferred.Command  // nil: the message is a call
	from             deferred.ID        // of a wake: who has settled
	sent             uint64             // the revision that the sender of a wake had by then
	proven           uint64             // the revision that the record has reached, as the message says
	least            time.Duration      // what is left of the record's time at least, when it is written
	looks            time.Duration      // how often what waits has to look, of which another record could not take note; 0: as it likes
	taken            bool               // in feed.held
	released         bool               // its credit is free again

	// Guarded by feed.mu, once claimed:
	attempt  *deferred.Attempt
	begun    time.Time
	claimed  uint64    // the revision of the claim
	deadline time.Time // of the call, which may be told another one after the attempt
	watched  bool
	overdue  bool
	settling bool
	unfollow func()
}

// suspicious: workers died with the call twice at least, counting the one that
// is dead now. After the first death every call of that worker runs at once
// elsewhere; after the second one each runs alone, so that a poison call does
// not take innocent ones with it a third time.
func (h *holding) suspicious() bool { return h.Record != nil && h.Record.Counts.Deaths > 0 }

// take makes the id this delivery's, unless another one of the id is here.
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

// suspectTime is for how long a suspect runs alone. One that lives so long is not
// likely to kill its worker; and a fleet that was restarted twice has nothing but
// suspects, which must not run one at a time for ever.
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

// ends makes the end of an attempt the caller's, if it is nobody's yet: its outcome, its
// being declined, or that its worker leaves.
func (f *feed) ends(h *holding) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := !h.settling
	h.settling = true
	return first
}

// drop ends the holding, with no word to the broker: the lease runs out.
func (f *feed) drop(h *holding) {
	f.leases.remove(h.delivery)
	f.untake(h)
}

// untake lets another message of the id be looked at here.
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

// release frees the delivery's credit for another one, once.
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

// letCome gives the message back: its duty is not done, and not ours now. It
// ends the holding and frees its credit.
func (f *feed) letCome(h *holding, after time.Duration, why string, err error) {
	if !f.leases.kept(&h.delivery) { // a word would be about a message that another worker holds
		f.letGoSilently(h)
		return
	}
	f.log.Debug("given back", "id", h.delivery.ID, "name", h.delivery.Name, "reason", why, "err", err)
	f.settle(context.Background(), h, driver.Settlement{Delivery: h.delivery, Verdict: driver.GiveBack, After: after}) //nolint:forbidigo // a word to the broker, not waited for
	f.release(h)
}

// letGoSilently ends a holding whose lease had a gap, with no word to the broker.
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
