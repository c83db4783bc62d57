package dispatch

import (
	"context"
	"time"

	"zasync/pkg/deferred"
)

// watchDelay is how long an attempt runs before its record is watched for a
// cancel. Most calls are over by then, and pay nothing: neither a subscription
// nor a timer of their own.
const watchDelay = 100 * time.Millisecond

// begin makes the holding one that watchOver looks after.
func (f *feed) begin(h *holding, a *deferred.Attempt) *deferred.Attempt {
	f.mu.Lock()
	defer f.mu.Unlock()
	h.attempt, h.begun = a, time.Now()
	return a
}

// watchOver has the records of attempts watched that have been running for a while.
func (f *feed) watchOver(ctx context.Context) {
	tick := time.NewTicker(watchDelay)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			for _, h := range f.unwatched(now.Add(-watchDelay)) {
				f.watch(ctx, h)
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

// watch revokes the attempt when its record is no longer its own.
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
	a, token := h.attempt, deferred.Token{Worker: f.worker.Incarnation, Attempt: h.attempt.Number}
	f.hub.follow(watching, a.ID, func(r *deferred.Record) bool {
		switch {
		case r.Attempt < token.Attempt: // read from a replica that lags behind
			return true
		case r.State == deferred.Running && r.Token == token:
			return true
		case r.State == deferred.Cancelled:
			a.Revoke(r.Failure)
		default:
			a.Revoke(deferred.ErrLost)
		}
		return false
	})
}
