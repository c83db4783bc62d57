package dispatch

import (
	"context"
	"errors"
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/wire"
)

// look reads what a decision rests on, and decides. Whose answer is enough is for the
// decision to say, once it is not known that a replica may be behind.
func (h *holding) look(ctx context.Context) (decision, error) {
	f := h.feed
	x, err := h.facts(ctx, h.ahead)
	if err != nil {
		return decision{}, err
	}
	d := decide(x)
	if !x.enough(d) {
		if x, err = h.facts(ctx, true); err != nil {
			return decision{}, err
		}
		d = decide(x)
	}
	if err := f.pin(ctx, h, d.deed); errors.Is(err, driver.ErrConflict) && !h.ahead {
		h.ahead = true // the parent is not what it seemed to be
		return h.look(ctx)
	} else if err != nil {
		return decision{}, err
	}
	if d.deed != early || x.now.Before(x.sent.Add(x.grace)) {
		return d, nil
	}
	// No record does not mean that nobody knows it: its message may stand behind a backlog.
	nowhere, err := f.nowhere(ctx, h.delivery.ID)
	if nowhere {
		d = decision{deed: setAside, why: d.why}
	}
	return d, err
}

// facts reads the record, and the parent's, and tells what they are.
func (h *holding) facts(ctx context.Context, latest bool) (x facts, err error) {
	f := h.feed
	read := f.readRecord
	if latest {
		read = f.latestRecord
	}
	if h.sighting, err = read(ctx, h.delivery.ID); err != nil {
		return x, err
	}
	if !h.latest && h.revision < h.proven {
		if h.sighting, err = f.latestRecord(ctx, h.delivery.ID); err != nil {
			return x, err
		}
	}
	h.parent = nil
	if h.call != nil {
		h.call.AdoptTerms(h.record, h.digest)
	}
	if h.call != nil && h.call.After != nil {
		parent, err := read(ctx, h.call.After.Parent)
		if err != nil {
			return x, err
		}
		h.parent = parent.record
	}
	x = facts{
		record: h.record, latest: h.latest, parent: h.parent, call: h.call, command: h.command, sent: h.delivery.Time, digest: h.digest, now: f.clock.Now(), foreign: wire.Foreign(&h.delivery),
		self: f.worker.Incarnation, performing: f.performs(h.delivery.ID, h),
		maxDeaths: f.config.MaxDeaths, grace: f.config.ParentGrace,
	}
	if h.call != nil {
		x.sent = h.call.Submitted
	}
	if r := h.record; r != nil && r.State == deferred.Running && r.Token.Worker != x.self {
		x.ownerAlive = f.beat.Alive(ctx, r.Token.Worker)
	}
	return x, nil
}

// carry does what was decided, except to offer the call. False means that
// something changed meanwhile: look again.
func (f *feed) carry(ctx context.Context, h *holding, d decision) bool {
	var err error
	switch d.deed {
	case drop:
	case finish:
		err = f.finish(ctx, h)
	case park:
		if err = f.noteScheduled(ctx, h); err == nil {
			err = f.unbroken(h) // else another worker may have parked it, and performed it
		}
		if err == nil {
			err = f.park(ctx, h, d.until)
		}
	case rest:
		err = f.rest(ctx, h, d.until)
	case giveBack, early:
		f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), d.why, nil)
		return true
	case disown:
		err = f.disown(ctx, h, d.why)
	case setAside:
		reason := "id-in-use"
		if h.command != nil {
			reason = "command"
		}
		if err = f.setAside(ctx, h.delivery, reason, d.why); err == nil {
			err = f.leaveParent(ctx, h)
		}
	case wait:
		if err = f.wait(ctx, h); err == nil {
			return false // and look at what it waits for
		}
	case evaluate:
		var next decision
		if next, err = f.evaluate(ctx, h); err == nil {
			return f.carry(ctx, h, next)
		}
	case hold, release, handle:
		err = f.obey(ctx, h, d.deed)
	case add:
		err = f.obey(ctx, h, d.deed)
		if err == nil {
			return false // and tell the new members
		}
		if errors.Is(err, driver.ErrTooLarge) {
			err = f.setAside(ctx, h.delivery, "command", "the record cannot hold so many members")
		}
	case forward:
		err = f.forward(ctx, h)
	default:
		err = f.settleUnperformed(ctx, h, d)
		if err == nil {
			f.log.Info("settled", "id", h.delivery.ID, "name", h.record.Name, "state", h.record.State, "reason", d.why)
			err = f.finish(ctx, h)
		}
	}
	switch {
	case errors.Is(err, driver.ErrConflict), errors.Is(err, driver.ErrUnknown):
		return false
	case err != nil:
		f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), "cannot "+string(d.deed), err)
		return true
	}
	f.acknowledge(ctx, h)
	f.release(h)
	return true
}

// settleUnperformed writes the outcome of a call that no worker performs.
func (f *feed) settleUnperformed(ctx context.Context, h *holding, d decision) error {
	r := h.next()
	args, err := f.argsOf(ctx, h, r, d.deed)
	if err != nil {
		return err
	}
	if err := f.conclusive(ctx, h, r, d.deed, f.config.InlineResult); err != nil {
		return err
	}
	if r.State != deferred.Succeeded {
		r.Args = args
	}
	err = h.write(ctx, r, f.clock.Now())
	for _, lessen := range []func(){ // better settled with less than never
		func() { r.Args = deferred.Content{} },
		func() { f.refer(ctx, h, r, d.deed) },
		func() {
			r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindResultSize, Message: "the record cannot hold it: " + err.Error()})
		},
	} {
		if !errors.Is(err, driver.ErrTooLarge) {
			break
		}
		lessen()
		err = h.write(ctx, r, f.clock.Now())
	}
	return err
}

// conclusive writes into the record the outcome that was decided on.
func (f *feed) conclusive(ctx context.Context, h *holding, r *deferred.Record, d deed, inline int) (err error) {
	switch d {
	case poison:
		r.Counts.Deaths++
		r.Settle(deferred.Failed, f.ofAttempt(ctx, r, &deferred.Failure{
			Kind: deferred.KindPoison, Message: fmt.Sprintf("%d workers died while they performed it", r.Counts.Deaths),
		}))
	case expire:
		r.Settle(deferred.Expired, f.ofAttempt(ctx, r, expiry(r, f.clock.Now())))
	case passThrough:
		settleAs(r, h.parent, inline)
		r.Skipped = true
		if r.Handled, err = f.takenBeside(ctx, r.ID, h.parent); err != nil {
			return err
		}
	case conclude:
		h.conclusion(r, inline)
	case refuse:
		r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindCycle, Message: "what it waits for waits, in the end, for it"})
	case resolve:
		settleOutside(r, h.command)
	case cancel:
		f.settleCancelled(ctx, r, h.command)
	case merge: // what has settled keeps its outcome; next took the call in
	default:
		return fmt.Errorf("dispatch: nobody does %q here", d)
	}
	return nil
}

// refer has a record that is too large refer to whatever result it has.
func (f *feed) refer(ctx context.Context, h *holding, r *deferred.Record, d deed) {
	if d == passThrough || d == conclude {
		_ = f.conclusive(ctx, h, r, d, 0) // it did before
	}
}

// argsOf gives the arguments of a call that is to be settled. A command does not
// bring the call, which is looked for.
func (f *feed) argsOf(ctx context.Context, h *holding, r *deferred.Record, d deed) (deferred.Content, error) {
	switch {
	case h.call != nil:
		return h.call.Args, nil
	case d == cancel, d == expire:
		return f.takeIn(ctx, r)
	}
	return r.Args, nil
}
