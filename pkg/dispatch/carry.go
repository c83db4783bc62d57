package dispatch

import (
	"context"
	"errors"
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/wire"
)

// look reads the facts of a decision, and decides. If a replica may lag behind this
// holding, it asks the leader at once. Otherwise the decision says whether the answer
// of a replica suffices.
func (h *holding) look(ctx context.Context) (protocol.Decision, error) {
	f := h.feed
	x, err := h.facts(ctx, h.ahead)
	if err != nil {
		return protocol.Decision{}, err
	}
	d := protocol.Decide(x)
	if !x.Suffices(d) {
		if x, err = h.facts(ctx, true); err != nil {
			return protocol.Decision{}, err
		}
		d = protocol.Decide(x)
	}
	if err := f.pin(ctx, h, d.Action); errors.Is(err, driver.ErrConflict) && !h.ahead {
		h.ahead = true // the parent is not as a replica showed it
		return h.look(ctx)
	} else if err != nil {
		return protocol.Decision{}, err
	}
	if d.Action != protocol.RetryLater || x.Now.Before(x.Sent.Add(x.Grace)) {
		return d, nil
	}
	// A deferred without a record may exist: its message may stand behind a backlog.
	nowhere, err := f.records.Unknown(ctx, h.delivery.ID)
	if nowhere {
		d = protocol.Decision{Action: protocol.SetAside, Why: d.Why}
	}
	return d, err
}

// facts reads the record and the parent's record, and gives the facts of a decision.
func (h *holding) facts(ctx context.Context, latest bool) (x protocol.Facts, err error) {
	f := h.feed
	read := f.records.Read
	if latest {
		read = f.records.ReadLatest
	}
	if h.Sighting, err = read(ctx, h.delivery.ID); err != nil {
		return x, err
	}
	if !h.Latest && h.Revision < h.proven {
		if h.Sighting, err = f.records.ReadLatest(ctx, h.delivery.ID); err != nil {
			return x, err
		}
	}
	h.parent = nil
	if h.call != nil {
		h.call.AdoptTerms(h.Record, h.digest)
	}
	if h.call != nil && h.call.After != nil {
		parent, err := read(ctx, h.call.After.Parent)
		if err != nil {
			return x, err
		}
		h.parent = parent.Record
	}
	x = protocol.Facts{
		Record: h.Record, Latest: h.Latest, Parent: h.parent, Call: h.call, Command: h.command, Sent: h.delivery.Time, Digest: h.digest, Now: f.records.Clock.Now(), Foreign: wire.Foreign(&h.delivery),
		Self: f.worker.Incarnation, Performing: f.performs(h.delivery.ID, h),
		MaxDeaths: f.config.MaxDeaths, Grace: f.config.ParentGrace,
	}
	if h.call != nil {
		x.Sent = h.call.Submitted
	}
	if r := h.Record; r != nil && r.State == deferred.Running && r.Token.Worker != x.Self {
		x.OwnerAlive = f.beat.Alive(ctx, r.Token.Worker)
	}
	return x, nil
}

// carry does the action that was decided, except to offer the call. It returns false if
// the record has changed: then the caller looks again.
func (f *feed) carry(ctx context.Context, h *holding, d protocol.Decision) bool {
	var err error
	switch d.Action {
	case protocol.Discard:
	case protocol.Finish:
		err = f.finish(ctx, h)
	case protocol.Park:
		if err = f.noteScheduled(ctx, h); err == nil {
			err = f.unbroken(h) // after a gap another worker may have parked it, and performed it
		}
		if err == nil {
			err = f.park(ctx, h, d.Until)
		}
	case protocol.ParkWake:
		err = f.rest(ctx, h, d.Until)
	case protocol.GiveBack, protocol.RetryLater:
		f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), d.Why, nil)
		return true
	case protocol.Disown:
		err = f.disown(ctx, h, d.Why)
	case protocol.SetAside:
		reason := "id-in-use"
		if h.command != nil {
			reason = "command"
		}
		if err = f.records.SetAside(ctx, h.delivery, reason, d.Why); err == nil {
			err = f.leaveParent(ctx, h)
		}
	case protocol.Wait:
		if err = f.wait(ctx, h); err == nil {
			return false // the caller looks at its members
		}
	case protocol.Evaluate:
		var next protocol.Decision
		if next, err = f.evaluate(ctx, h); err == nil {
			return f.carry(ctx, h, next)
		}
	case protocol.Hold, protocol.Release, protocol.MarkHandled:
		err = f.obey(ctx, h, d.Action)
	case protocol.Add:
		err = f.obey(ctx, h, d.Action)
		if err == nil {
			return false // the caller looks again, and the new members learn of it
		}
		if errors.Is(err, driver.ErrTooLarge) {
			err = f.records.SetAside(ctx, h.delivery, "command", "the record cannot hold so many members")
		}
	case protocol.Forward:
		err = f.forward(ctx, h)
	default:
		err = f.settleUnperformed(ctx, h, d)
		if err == nil {
			f.log.Info("settled", "id", h.delivery.ID, "name", h.Record.Name, "state", h.Record.State, "reason", d.Why)
			err = f.finish(ctx, h)
		}
	}
	switch {
	case errors.Is(err, driver.ErrConflict), errors.Is(err, driver.ErrUnknown):
		return false
	case err != nil:
		f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), "cannot "+string(d.Action), err)
		return true
	}
	f.acknowledge(ctx, h)
	f.release(h)
	return true
}

// settleUnperformed writes the outcome of a call that no worker performs.
func (f *feed) settleUnperformed(ctx context.Context, h *holding, d protocol.Decision) error {
	r := h.next()
	args, err := f.argsOf(ctx, h, r, d.Action)
	if err != nil {
		return err
	}
	if err := f.conclusive(ctx, h, r, d.Action, f.config.InlineResult); err != nil {
		return err
	}
	if r.State != deferred.Succeeded {
		r.Args = args
	}
	err = h.write(ctx, r, f.records.Clock.Now())
	for _, lessen := range []func(){ // a call may settle with less, but must settle
		func() { r.Args = deferred.Content{} },
		func() { f.refer(ctx, h, r, d.Action) },
		func() {
			r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindResultSize, Message: "the record cannot hold it: " + err.Error()})
		},
	} {
		if !errors.Is(err, driver.ErrTooLarge) {
			break
		}
		lessen()
		err = h.write(ctx, r, f.records.Clock.Now())
	}
	return err
}

// conclusive sets in the record the outcome that was decided.
func (f *feed) conclusive(ctx context.Context, h *holding, r *deferred.Record, d protocol.Action, inline int) (err error) {
	switch d {
	case protocol.DeadLetter:
		r.Counts.Deaths++
		r.Settle(deferred.Failed, f.records.OfAttempt(ctx, r, &deferred.Failure{
			Kind: deferred.KindPoison, Message: fmt.Sprintf("%d workers died while they performed it", r.Counts.Deaths),
		}))
	case protocol.Expire:
		r.Settle(deferred.Expired, f.records.OfAttempt(ctx, r, protocol.ExpiryFailure(r, f.records.Clock.Now())))
	case protocol.Skip:
		protocol.SettleAs(r, h.parent, inline)
		r.Skipped = true
		if r.Handled, err = f.takenBeside(ctx, r.ID, h.parent); err != nil {
			return err
		}
	case protocol.Conclude:
		protocol.SettleWaiting(r, h.members, inline)
	case protocol.FailCycle:
		r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindCycle, Message: "what it waits for waits, in the end, for it"})
	case protocol.Resolve:
		protocol.SettleOutside(r, h.command)
	case protocol.Cancel:
		f.records.SettleCancelled(ctx, r, h.command)
	case protocol.Merge: // the record has settled and keeps its outcome; next took the call in
	default:
		return fmt.Errorf("dispatch: nobody does %q here", d)
	}
	return nil
}

// refer makes a record that is too large refer to its result instead of containing it.
func (f *feed) refer(ctx context.Context, h *holding, r *deferred.Record, d protocol.Action) {
	if d == protocol.Skip || d == protocol.Conclude {
		_ = f.conclusive(ctx, h, r, d, 0) // it succeeded before
	}
}

// argsOf gives the arguments of a call that is to be settled. A cancel or expiry
// command does not contain the call, so argsOf looks for the message of the call.
func (f *feed) argsOf(ctx context.Context, h *holding, r *deferred.Record, d protocol.Action) (deferred.Content, error) {
	switch {
	case h.call != nil:
		return h.call.Args, nil
	case d == protocol.Cancel, d == protocol.Expire:
		return f.records.AbsorbMessages(ctx, r)
	}
	return r.Args, nil
}
