package workerpool

import (
	"context"
	"fmt"
	"log/slog"

	"zasync/pkg/deferred"
)

// fetch decides on offers until ctx ends, or the feed does. What it accepts
// goes on under work.
func (r *run) fetch(ctx, work context.Context) error {
	for ctx.Err() == nil {
		o, err := r.feed.Next(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			return fmt.Errorf("workerpool: next call: %w", err)
		case err != nil:
		case ctx.Err() != nil:
			r.decline(work, &o, reasonStopping)
		default:
			r.begin(work, o)
		}
	}
	return nil
}

func (r *run) begin(ctx context.Context, o deferred.Offer) {
	if l := r.admit(ctx, &o); l != nil {
		r.tasks.Add(1)
		go r.attend(ctx, l, o)
	}
}

// admit gives the lane of an offer that is accepted, and declines the others.
func (r *run) admit(ctx context.Context, o *deferred.Offer) *lane {
	l := r.lanes[o.Lane]
	if l == nil {
		r.decline(ctx, o, "this worker has no handler for it")
		return nil
	}
	if ok, reason := r.judge(ctx, o); !ok {
		r.decline(ctx, o, reason)
		return nil
	}
	return l
}

// judge asks Accept. A call that makes it panic must not take the process with
// it, and after it the next one, and so on through the fleet.
func (r *run) judge(ctx context.Context, o *deferred.Offer) (ok bool, reason string) {
	if r.accept == nil {
		return true, ""
	}
	defer func() {
		if v := recover(); v != nil {
			ok, reason = false, "the worker's policy panicked"
			r.log.LogAttrs(ctx, slog.LevelError, reason, about(o, slog.Any("err", v))...)
		}
	}()
	ok, reason = r.accept(*o)
	if !ok && reason == "" {
		reason = "the worker's policy declined it"
	}
	return ok, reason
}
