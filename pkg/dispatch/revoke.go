package dispatch

import (
	"context"
	"log/slog"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/complaints"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/wire"
)

// watchDelay is how long an attempt runs before the worker watches its record for a
// cancel. Most calls are over by then, and cost neither a subscription nor a timer of
// their own.
const watchDelay = 100 * time.Millisecond

// begin notes the attempt of a holding, so that watchOver looks after it.
func (f *feed) begin(h *holding, a *deferred.Attempt) *deferred.Attempt {
	f.mu.Lock()
	defer f.mu.Unlock()
	h.attempt, h.begun, h.deadline, h.claimed = a, time.Now(), h.call.Deadline, h.Revision
	return a
}

// watchOver watches the records of attempts that have run for longer than watchDelay.
func (f *feed) watchOver(ctx context.Context) {
	tick := time.NewTicker(watchDelay)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			f.leases.pulse(time.Now())
			for _, h := range f.unwatched(now.Add(-watchDelay)) {
				f.watch(ctx, h)
			}
			for _, m := range f.overdue(f.records.Clock.Now()) {
				f.loops.Go(func() { f.sayOverdue(ctx, m) }) // the pulse does not wait for it
			}
		case <-ctx.Done():
			return
		}
	}
}

func (f *feed) unwatched(begun time.Time) []*holding {
	f.mu.Lock()
	defer f.mu.Unlock()
	var long []*holding
	for _, h := range f.held {
		if h.attempt != nil && !h.watched && !h.settling && h.begun.Before(begun) {
			h.watched = true
			long = append(long, h)
		}
	}
	return long
}

// watch revokes the attempt when the record no longer belongs to it.
func (f *feed) watch(ctx context.Context, h *holding) {
	watching, stop := context.WithCancel(ctx)
	f.mu.Lock()
	dropped := !h.taken
	h.unfollow = stop
	f.mu.Unlock()
	if dropped {
		stop()
		return
	}
	id := h.attempt.ID
	f.hub.follow(watching, id, func(r *deferred.Record, revision uint64) bool {
		return revision < h.claimed || f.inForce(h, r) // an older record comes from a replica that lags
	}, func(err error) {
		f.wrong.Say(string(id), complaints.Complaint{Level: slog.LevelWarn, Says: "record of an attempt not watched: a cancel may not reach it", Err: err, Of: []any{"id", id}})
	})
}

// inForce reports whether the record still belongs to the attempt, and revokes the attempt
// otherwise.
func (f *feed) inForce(h *holding, r *deferred.Record) bool {
	a := h.attempt
	token := deferred.Token{Worker: f.worker.Incarnation, Attempt: a.Number}
	switch {
	case r != nil && r.State == deferred.Running && r.Token == token:
		return true
	case r != nil && (r.State == deferred.Cancelled || r.State == deferred.Expired):
		a.Revoke(r.Failure)
	default:
		a.Revoke(deferred.ErrLost)
	}
	f.mu.Lock()
	settling := h.settling // the record may have its own outcome, and this worker still ends the message
	f.mu.Unlock()
	if settling {
		return false
	}
	f.leases.remove(h.delivery) // also if the handler ignores that: other workers finish the message
	return false
}

// overdue gives a message for each call performed here whose deadline has passed, once
// for each call.
func (f *feed) overdue(now time.Time) []driver.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	var messages []driver.Message
	for id, h := range f.held {
		if h.attempt != nil && !h.overdue && !h.deadline.IsZero() && !now.Before(h.deadline) {
			h.overdue = true
			messages = append(messages, wire.ExpireMessage(id, h.claimed))
		}
	}
	return messages
}

// sayOverdue stores the message about a deadline that has passed. It is a command like any
// other: a worker carries it out even if this one dies.
func (f *feed) sayOverdue(ctx context.Context, m driver.Message) {
	if err := f.records.Put(ctx, m); err != nil {
		f.wrong.Say(string(m.ID), complaints.Complaint{Level: slog.LevelWarn, Says: "deadline not told", Err: err, Of: []any{"id", m.ID}})
		_ = liveness.Pause(ctx, time.Second)
		f.mu.Lock()
		defer f.mu.Unlock()
		if h := f.held[m.ID]; h != nil {
			h.overdue = false // so the message is made again
		}
	}
}
