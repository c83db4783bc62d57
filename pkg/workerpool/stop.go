package workerpool

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"zasync/pkg/deferred"
)

// What a pool that stops waits for after the time of grace.
const (
	settleWait = 5 * time.Second // for the answers to claims and settlements under way
	leaveWait  = 5 * time.Second // for the feed to leave
)

// stop ends the supply, then the tasks: by waiting, by interrupting, and at
// last without them.
func (r *run) stop(ctx context.Context, grace time.Duration) {
	for _, l := range r.lanes {
		l.close()
	}
	close(r.stopping)
	defer r.turnAway(ctx)()
	idle := make(chan struct{})
	go func() {
		r.tasks.Wait()
		close(idle)
	}()
	r.log.Info("worker stops", "running", r.status().Running, "grace", max(grace, 0).String())
	if endsWithin(idle, grace) {
		return
	}
	for i := range r.slots {
		if t := r.slots[i].task.Load(); t != nil {
			t.cancel(deferred.ErrStopping)
		}
	}
	if endsWithin(idle, heedWait) {
		return
	}
	r.abandon()
	if !endsWithin(idle, settleWait) {
		r.log.Error("claims or settlements are still without an answer")
	}
}

// turnAway declines what the feed offers still: it may have calls at hand, and be
// looking at others. They must not wait here while handlers finish.
func (r *run) turnAway(ctx context.Context) (end func()) {
	next, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			o, err := r.feed.Next(next)
			if err != nil {
				return
			}
			r.decline(ctx, &o, reasonStopping)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

func endsWithin(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// abandon takes away the tasks whose handlers have not returned, so that they
// will not be settled when they do, and are waited for no longer.
func (r *run) abandon() {
	for i := range r.slots {
		if t := r.slots[i].task.Load(); t != nil && t.fate.CompareAndSwap(undecided, abandoned) {
			r.log.Error("handler ignores that its context has ended; abandoned",
				"id", t.attempt.ID, "name", t.attempt.Lane.Name, "queue", t.attempt.Lane.Queue,
				"attempt", t.attempt.Number, "took", time.Since(t.since))
			r.tasks.Done()
		}
	}
}

// leave has a time of its own: the feed may have lost whom it says goodbye to.
func (r *run) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveWait)
	defer cancel()
	if err := r.feed.Leave(ctx); err != nil {
		return fmt.Errorf("workerpool: leave: %w", err)
	}
	r.log.LogAttrs(ctx, slog.LevelInfo, "worker left", slog.Uint64("performed", r.performed.Load()))
	return nil
}
