package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/deferred"
)

// look reads what a decision rests on, and decides.
func (h *holding) look(ctx context.Context) (decision, error) {
	f := h.feed
	var err error
	if h.record, h.revision, err = f.readRecord(ctx, h.delivery.ID); err != nil {
		return decision{}, err
	}
	if h.call != nil && h.call.After != nil {
		if h.parent, _, err = f.readRecord(ctx, h.call.After.Parent); err != nil {
			return decision{}, err
		}
		if err = f.attach(ctx, h); err != nil {
			return decision{}, err
		}
	}
	x := facts{
		record: h.record, parent: h.parent, call: h.call, digest: h.digest, now: f.clock.now(),
		self: f.worker.Incarnation, performing: f.performs(h.delivery.ID, h),
		maxDeaths: f.config.MaxDeaths, grace: f.config.ParentGrace,
	}
	if r := h.record; r != nil && r.State == deferred.Running && r.Token.Worker != x.self {
		x.ownerAlive = f.beat.alive(ctx, r.Token.Worker)
	}
	d := decide(x)
	if d.deed != orphan {
		return d, nil
	}
	// No record does not mean that nobody knows it: it may wait for its time, or behind a backlog.
	found, err := f.broker.Find(ctx, h.call.After.Parent)
	if err == nil && len(found) > 0 {
		d = decision{deed: park, until: x.now.Add(heldLook), why: "its parent waits"}
	}
	return d, err
}

// carry does what was decided, except to offer the call. False means that
// something changed meanwhile: look again.
func (f *feed) carry(ctx context.Context, h *holding, d decision) bool {
	var err error
	switch d.deed {
	case finish:
		err = f.finish(ctx, h)
	case park:
		err = f.park(ctx, h, d.until)
	case giveBack:
		f.letCome(h, growing(h.delivery.Deliveries), d.why, nil)
		return true
	case setAside:
		err = f.setAside(ctx, h.delivery, "id-in-use", d.why)
	default:
		err = f.settleUnperformed(ctx, h, d)
		if err == nil {
			f.log.Info("settled", "id", h.delivery.ID, "name", h.record.Name, "state", h.record.State, "reason", d.why)
			err = f.finish(ctx, h)
		}
	}
	switch {
	case errors.Is(err, ErrConflict), errors.Is(err, ErrUnknown):
		return false
	case err != nil:
		f.letCome(h, growing(h.delivery.Deliveries), "cannot "+string(d.deed), err)
		return true
	}
	f.acknowledge(ctx, h)
	f.release(h)
	return true
}

// settleUnperformed writes the outcome of a call that no worker performs.
func (f *feed) settleUnperformed(ctx context.Context, h *holding, d decision) error {
	r := h.next()
	switch d.deed {
	case poison:
		r.Counts.Deaths++
		r.Settle(deferred.Failed, &deferred.Failure{
			Kind: deferred.KindPoison, Attempt: r.Attempt, Worker: r.Token.Worker,
			Message: fmt.Sprintf("%d workers died while they performed it", r.Counts.Deaths),
		})
	case expire:
		r.Settle(deferred.Expired, expiry(h.call))
	case orphan:
		r.Settle(deferred.Failed, &deferred.Failure{
			Kind: deferred.KindParentUnknown, Message: "no call was ever seen under the id " + string(h.call.After.Parent),
		})
	case passThrough:
		r.Settle(h.parent.State, h.parent.Failure)
		r.Result = h.parent.Result
	case cancel:
		if err := f.cancelled(ctx, r, h.reason); err != nil {
			return err
		}
	case merge: // what has settled keeps its outcome; next took the call in
	default:
		return fmt.Errorf("dispatch: nobody does %q here", d.deed)
	}
	if r.State != deferred.Succeeded && h.call != nil {
		r.Args = h.call.Args
	}
	err := h.write(ctx, r, f.clock.now())
	if errors.Is(err, ErrTooLarge) {
		r.Args = deferred.Content{} // better settled without them than never
		err = h.write(ctx, r, f.clock.now())
	}
	return err
}

func expiry(c *carried) *deferred.Failure {
	return &deferred.Failure{Kind: deferred.KindExpired, Message: "no worker began it by " + c.BeginBy.UTC().Format(time.RFC3339)}
}
