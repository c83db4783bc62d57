package dispatch

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/complaints"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
)

// Claim records that this worker performs the call. The attempt does not start before
// the claim is known to be stored.
func (f *feed) Claim(ctx context.Context, o deferred.Offer) (*deferred.Attempt, error) {
	a, err := f.claimOffer(ctx, o)
	if err != nil && !errors.Is(err, deferred.ErrTaken) && ctx.Err() == nil {
		f.wrong.Say(string(o.ID), complaints.Complaint{Level: slog.LevelWarn, Says: "call not claimed", Err: err, Of: []any{"id", o.ID, "name", o.Lane.Name}})
	}
	return a, err
}

func (f *feed) claimOffer(ctx context.Context, o deferred.Offer) (*deferred.Attempt, error) {
	h := o.Handle.(*holding)
	for {
		if !f.leases.kept(&h.delivery) { // the record may be forgotten by now, as if it had never existed
			f.letGoSilently(h)
			return nil, deferred.ErrTaken
		}
		stored, err := f.tryClaim(ctx, h)
		if stored {
			break
		}
		if !errors.Is(err, driver.ErrConflict) && !errors.Is(err, driver.ErrUnknown) {
			f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), "cannot claim", err)
			return nil, err
		}
		if gone := f.claimAnew(ctx, h); gone != nil {
			return nil, gone
		}
	}
	// Time has passed since this worker looked at the call.
	now := f.records.Clock.Now()
	if h.Record.Attempt == 1 && !h.call.BeginBy.IsZero() && now.After(h.call.BeginBy) {
		f.afterwards(h, func(ctx context.Context) { f.expireClaimed(ctx, h) })
		return nil, deferred.ErrTaken
	}
	a, err := f.newAttempt(ctx, h, o)
	if err != nil {
		f.afterwards(h, func(ctx context.Context) { f.withoutInput(ctx, h, err) })
		return nil, err
	}
	return f.begin(h, a), nil
}

// tryClaim does one compare-and-set. If its answer is lost, it reads the record back:
// the token says whether the claim was stored.
func (f *feed) tryClaim(ctx context.Context, h *holding) (stored bool, err error) {
	r := h.next()
	if r.State == deferred.Running && r.Token.Worker != f.worker.Incarnation {
		r.Counts.Deaths++
	}
	r.State, r.Attempt = deferred.Running, r.Attempt+1
	r.Token = deferred.Token{Worker: f.worker.Incarnation, Attempt: r.Attempt}
	r.Started, r.Failure, r.NotBefore, r.Args = f.records.Clock.Now(), nil, time.Time{}, deferred.Content{}
	err = h.write(ctx, r, time.Time{})
	if !errors.Is(err, driver.ErrUnknown) {
		return err == nil, err
	}
	over := h.Revision // an earlier claim that was taken back had the same token
	back, readErr := f.records.ReadBack(ctx, h.delivery.ID)
	if readErr != nil {
		return false, readErr
	}
	if b := back.Record; b != nil && back.Revision > over && b.State == deferred.Running && b.Token == r.Token {
		h.Sighting = back
		return true, nil
	}
	return false, err
}

// claimAnew looks again after a conflict. It returns nil if the call is still to be
// claimed. Any error means that this worker does another action for it, or has given it
// back.
func (f *feed) claimAnew(ctx context.Context, h *holding) error {
	d, err := h.look(ctx)
	if err != nil {
		f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), "cannot read the record", err)
		return err
	}
	if d.Action == protocol.Claim || d.Action == protocol.TakeOver {
		if !h.suspicious() || f.takeSuspect(h) {
			return nil
		}
		f.letCome(h, time.Second, "another suspect is performed here", nil)
		return deferred.ErrTaken
	}
	f.untake(h)
	f.afterwards(h, func(ctx context.Context) {
		if !f.carry(ctx, h, d) {
			f.examine(ctx, h)
		}
	})
	return deferred.ErrTaken
}

func (f *feed) newAttempt(ctx context.Context, h *holding, o deferred.Offer) (*deferred.Attempt, error) {
	a := &deferred.Attempt{
		Offer: o, Number: h.Record.Attempt, Failures: h.Record.Counts.Failures, Args: h.call.Args, Timeout: h.call.Timeout,
	}
	if h.parent != nil {
		outcome, err := f.records.Outcome(ctx, h.parent)
		if err != nil {
			return nil, err
		}
		a.Parent = &deferred.Parent{ID: h.parent.ID, Outcome: outcome}
	}
	a.Ledger = &attemptLedger{
		Ledger: f.ledger, records: f.records, worker: f.worker.Name, wrong: f.wrong, launch: f.launch, attempt: a, writing: make(chan struct{}, 1),
	}
	a.Confirm = func(ctx context.Context) error { return f.confirmStart(ctx, h) }
	var err error
	a.Checkpoint, err = f.checkpoint(ctx, h)
	return a, err
}

// Decline gives the call back untouched.
func (f *feed) Decline(o deferred.Offer, reason string) {
	h := o.Handle.(*holding)
	if h.attempt == nil {
		after := time.Duration(0)
		if n := h.delivery.Deliveries; n > 1 {
			after = liveness.RedeliveryDelay(n - 1)
		}
		f.letCome(h, after, reason, nil)
		return
	}
	f.afterwards(h, func(ctx context.Context) {
		if f.ends(h) { // otherwise Leave gives it back
			f.unclaim(ctx, h, 0, reason)
		}
	})
}

// unclaim takes back the claim of an attempt that never started, so that the attempt
// does not count.
func (f *feed) unclaim(ctx context.Context, h *holding, after time.Duration, reason string) {
	err := f.commitRecord(ctx, h, func(r *deferred.Record) {
		r.State, r.Attempt, r.Started = deferred.Pending, r.Attempt-1, time.Time{}
	})
	if err != nil {
		f.log.Warn("claim not taken back", "id", h.delivery.ID, "err", err)
		f.drop(h)
		f.release(h)
		return
	}
	f.letCome(h, after, reason, nil)
}

// inputTries is how many deliveries of a call look for the records of its input before
// they count as gone. That takes some seconds.
const inputTries = 6

// withoutInput deals with a claimed call whose input cannot be built. The call comes
// again, or fails if there will never be an input.
func (f *feed) withoutInput(ctx context.Context, h *holding, cause error) {
	var size *deferred.SizeError
	gone := errors.Is(cause, deferred.ErrNotFound) && h.delivery.Deliveries >= inputTries
	if !gone && !errors.As(cause, &size) && !errors.Is(cause, records.ErrParts) {
		f.unclaim(ctx, h, liveness.RedeliveryDelay(h.delivery.Deliveries), "its input cannot be read: "+cause.Error())
		return
	}
	f.settleClaimed(ctx, h, func(r *deferred.Record) {
		r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindNoInput, Message: cause.Error()})
		r.Attempt--
	})
}
