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
)

// Settle commits the outcome of an attempt. It writes the record first, under the token of
// the attempt. Then it does the steps that follow, and then acknowledges the message.
func (f *feed) Settle(ctx context.Context, a *deferred.Attempt, o deferred.Outcome) error {
	h := a.Handle.(*holding)
	defer f.rescue(h)
	h.endLedger(ctx) // annotations of the handler are stored before its outcome, and none after it
	if !f.ends(h) {
		return deferred.ErrLost
	}
	select {
	case f.commit <- struct{}{}:
		defer func() { <-f.commit }()
	case <-ctx.Done():
		f.drop(h)
		f.release(h)
		return context.Cause(ctx)
	}
	f.release(h) // the slot is free: the steps that are left need none
	if h.Record.Counts.Deaths > 0 {
		h.least = max(h.least, protocol.KeptAfterDeath)
	}
	err := f.commitRecord(ctx, h, func(r *deferred.Record) { f.conclude(r, h, o) })
	if errors.Is(err, driver.ErrTooLarge) && o.State != deferred.Succeeded { // its arguments are only for people: the outcome counts
		err = f.commitRecord(ctx, h, func(r *deferred.Record) {
			f.conclude(r, h, o)
			r.Args = deferred.Content{}
		})
	}
	if errors.Is(err, driver.ErrTooLarge) { // the server's limit is below ours, and the call must not try for ever
		o = f.tooLarge(h.Record, err.Error())
		err = f.commitRecord(ctx, h, func(r *deferred.Record) {
			f.conclude(r, h, o)
			r.Args = deferred.Content{}
		})
	}
	if err != nil {
		f.drop(h)
		if errors.Is(err, deferred.ErrLost) && o.State == deferred.Waiting {
			f.passToInner(ctx, h, o.Adopt)
		}
		return err
	}
	return f.follow(ctx, h)
}

// stillScheduled is errLapsed if the record does not have this retry any more. With an
// unbroken lease it still has. After a gap another worker may have made the retry, and
// more attempts.
func (f *feed) stillScheduled(ctx context.Context, h *holding) error {
	if f.leases.kept(&h.delivery) {
		return nil
	}
	now, err := f.records.ReadLatest(ctx, h.delivery.ID)
	if err != nil {
		return err
	}
	if r := now.Record; r == nil || r.State != deferred.Scheduled || r.Token != h.Record.Token || !r.NotBefore.Equal(h.Record.NotBefore) {
		return errLapsed
	}
	return nil
}

// passToInner cancels the deferred that a cancelled call was about to adopt, unless another
// deferred waits for it. The client that cancelled the call could not know of it.
func (f *feed) passToInner(ctx context.Context, h *holding, inner deferred.ID) {
	if inner.Check() != nil {
		return
	}
	seen, err := f.records.Sight(ctx, []deferred.ID{h.delivery.ID, inner}, f.records.Store.ReadLatest, true)
	if err != nil {
		f.log.Warn("cancel not passed on", "id", h.delivery.ID, "inner", inner, "err", err)
		return
	}
	r, m := seen[0].Record, seen[1].Record
	if r == nil || r.State != deferred.Cancelled {
		return
	}
	if m == nil {
		m = &deferred.Record{ID: inner, State: deferred.Pending}
	}
	if err := f.passCancel(ctx, r, map[deferred.ID]protocol.Member{inner: protocol.MemberOf(m, r.ID)}); err != nil {
		f.log.Warn("cancel not passed on", "id", h.delivery.ID, "inner", inner, "err", err)
	}
}

// tooLarge is the outcome of a call whose own outcome cannot be stored.
func (f *feed) tooLarge(r *deferred.Record, why string) deferred.Outcome {
	return f.failedForGood(r, deferred.KindResultSize, why)
}

func (f *feed) failedForGood(r *deferred.Record, kind, why string) deferred.Outcome {
	return deferred.Outcome{State: deferred.Failed, Retry: deferred.Advice{Never: true}, Failure: &deferred.Failure{
		Kind: kind, Message: why, Attempt: r.Attempt, Worker: f.worker.Name,
	}}
}

// follow does the steps that the record asks for after its commit.
func (f *feed) follow(ctx context.Context, h *holding) (err error) {
	switch h.Record.State {
	case deferred.Pending:
		f.letCome(h, 0, "interrupted", nil)
		return nil
	case deferred.Scheduled:
		f.log.Info("call will be tried again", "id", h.delivery.ID, "name", h.Record.Name, "attempt", h.Record.Attempt, "not_before", h.Record.NotBefore)
		if err = f.stillScheduled(ctx, h); err == nil {
			err = f.park(ctx, h, liveness.Earliest(h.Record.NotBefore, h.Record.Deadline))
		}
	case deferred.Waiting:
		f.untilDone(ctx, h, func() error { return driver.ErrConflict })
		return nil
	default:
		if h.Record.State == deferred.Failed {
			f.log.Warn("call failed for good", "id", h.delivery.ID, "name", h.Record.Name, "attempt", h.Record.Attempt, "err", h.Record.Failure)
		}
		err = f.finish(ctx, h)
	}
	if err != nil { // the message still stands, and a redelivery goes on from here
		f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), "cannot finish", err)
		return nil
	}
	f.acknowledge(ctx, h)
	return nil
}

// conclude writes an outcome into the record of a running call.
func (f *feed) conclude(r *deferred.Record, h *holding, o deferred.Outcome) {
	c := h.call
	if n := len(o.Result.Data); n > deferred.MaxResultSize {
		size := deferred.SizeError{Field: deferred.FieldResult, Size: n, Limit: deferred.MaxResultSize}
		o = f.tooLarge(r, size.Error())
	}
	if o.State == deferred.Waiting && o.Adopt.Check() != nil { // it is no key of a record, and could not be read
		o = f.failedForGood(r, deferred.KindError, "it adopts what is no deferred: "+o.Adopt.Check().Error())
	}
	switch o.State {
	case deferred.Succeeded:
		r.Settle(deferred.Succeeded, nil)
		r.Result = o.Result
	case deferred.Cancelled, deferred.Expired:
		r.Settle(o.State, o.Failure)
		r.Args = c.Args
	case deferred.Pending:
		r.State, r.Started = deferred.Pending, time.Time{}
	case deferred.Waiting:
		r.State, r.Args = deferred.Waiting, c.Args
		r.Waits = &deferred.Waits{Mode: deferred.AdoptInner, On: []deferred.ID{o.Adopt}}
	case deferred.Scheduled:
		r.State, r.NotBefore = deferred.Scheduled, f.records.Clock.Now().Add(bearable(o.Retry.After))
	default:
		f.concludeFailure(r, h, o)
	}
}

func (f *feed) concludeFailure(r *deferred.Record, h *holding, o deferred.Outcome) {
	c := h.call
	if p := h.parent; p != nil && o.PassOn {
		r.SettleAs(p, f.config.InlineResult)
		r.Args = c.Args
		return
	}
	r.Counts.Failures++
	if o.Retry.Never || r.Counts.Failures > r.Retries {
		r.Settle(deferred.Failed, o.Failure)
		r.Args = c.Args
		return
	}
	delay := o.Retry.After
	if delay == 0 {
		delay = f.config.RetryDelay(r.Counts.Failures)
	}
	r.State, r.Failure, r.NotBefore = deferred.Scheduled, o.Failure, f.records.Clock.Now().Add(bearable(delay))
}

// bearable limits a wait for the next attempt to the longest one that a call can ask for.
func bearable(d time.Duration) time.Duration { return min(max(d, 0), deferred.MaxDelay) }

const notStored = "outcome not stored"

// refusedForNow reports whether the store has refused a write that it may take later.
func refusedForNow(err error) bool {
	return err != nil && !errors.Is(err, driver.ErrTooLarge) && !errors.Is(err, driver.ErrConflict) && !errors.Is(err, driver.ErrUnknown)
}

// commitRecord changes the running record of an attempt. The fence is the token, not the
// revision: another client may have added to the record meanwhile, and commitRecord takes
// that in. ErrLost means that the attempt does not count any more, and that this worker
// sends the broker no answer about it.
func (f *feed) commitRecord(ctx context.Context, h *holding, change func(*deferred.Record)) error {
	f.mu.Lock()
	h.settling = true
	f.mu.Unlock()
	token := h.Record.Token
	refused, stale := 0, 0
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		r := h.Record.Clone()
		r.Counts.Commits += refused
		change(&r)
		err := h.write(ctx, &r, f.records.Clock.Now())
		again := refusedForNow(err)
		if refused > 0 && !again {
			f.wrong.Over(string(r.ID), notStored)
		}
		if err == nil || errors.Is(err, driver.ErrTooLarge) {
			return err
		}
		if again {
			refused++
			f.wrong.Say(string(r.ID), complaints.Complaint{
				Level: slog.LevelWarn, Says: notStored, Over: "outcomes are stored again",
				Err: err, Of: []any{"id", r.ID, "name", r.Name, "attempt", r.Attempt},
			})
			if err := liveness.Pause(ctx, wait); err != nil {
				return err
			}
			continue
		}
		back, err := f.records.ReadBack(ctx, r.ID)
		switch b := back.Record; {
		case err != nil:
			return err
		case back.Revision < h.Revision && stale < 10: // from a leader that does not have our own write yet, as after an election
			stale++
			if err := liveness.Pause(ctx, wait); err != nil {
				return err
			}
		case b == nil || b.Token != token:
			return deferred.ErrLost
		case b.State == deferred.Running:
			h.Sighting = back
		case b.State == r.State && b.State != deferred.Cancelled:
			h.Sighting = back // it was stored, and only the answer was lost
			return nil
		default:
			return deferred.ErrLost
		}
	}
}

func (f *feed) expireClaimed(ctx context.Context, h *holding) {
	f.settleClaimed(ctx, h, func(r *deferred.Record) {
		r.Settle(deferred.Expired, protocol.ExpiryFailure(r, f.records.Clock.Now()))
		r.Attempt = 0
	})
}

// settleClaimed settles a claimed call that does not start.
func (f *feed) settleClaimed(ctx context.Context, h *holding, change func(*deferred.Record)) {
	f.release(h)
	err := f.commitRecord(ctx, h, func(r *deferred.Record) { change(r); r.Args = h.call.Args })
	if errors.Is(err, driver.ErrTooLarge) {
		err = f.commitRecord(ctx, h, change)
	}
	if err != nil {
		f.drop(h)
		return
	}
	_ = f.follow(ctx, h) // it logs an error, and the message comes again
}
