package workerpool

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"zasync/pkg/deferred"
)

// about names the call that a line is about.
func about(o *deferred.Offer, more ...slog.Attr) []slog.Attr {
	return append([]slog.Attr{
		slog.String("id", string(o.ID)),
		slog.String("name", o.Lane.Name),
		slog.String("queue", o.Lane.Queue),
	}, more...)
}

// span is a duration that people can read in JSON too, where slog writes bare
// nanoseconds.
func span(d time.Duration) slog.Attr { return slog.String("took", d.Round(time.Microsecond).String()) }

// logEnd writes the one line that tells how an attempt ended.
func (r *run) logEnd(ctx context.Context, a *deferred.Attempt, o *deferred.Outcome, took time.Duration) {
	level, message := headline(o)
	if !r.log.Enabled(ctx, level) {
		return
	}
	attrs := about(&a.Offer, slog.Int("attempt", a.Number), span(took))
	if f := o.Failure; f != nil {
		attrs = append(attrs, slog.String("err", f.Error()))
	}
	r.log.LogAttrs(ctx, level, message, attrs...)
}

func headline(o *deferred.Outcome) (slog.Level, string) {
	switch {
	case o.State == deferred.Succeeded:
		return slog.LevelDebug, "call succeeded"
	case o.State == deferred.Scheduled:
		return slog.LevelInfo, "call snoozed"
	case o.State == deferred.Pending:
		return slog.LevelInfo, "call interrupted"
	case o.State == deferred.Cancelled:
		return slog.LevelInfo, "call cancelled"
	case o.State == deferred.Expired:
		return slog.LevelInfo, "call expired"
	case o.State == deferred.Waiting:
		return slog.LevelDebug, "call adopts another"
	case o.Failure.Kind == deferred.KindPanic:
		return slog.LevelError, "handler panicked"
	default:
		return slog.LevelWarn, "attempt failed"
	}
}

// logUnsettled tells that an outcome was not stored. Of an attempt that was
// revoked nothing else is to be expected.
func (r *run) logUnsettled(ctx context.Context, a *deferred.Attempt, err error) {
	level := slog.LevelError
	switch {
	case errors.Is(err, deferred.ErrLost) && a.Revoked() != nil:
		level = slog.LevelDebug
	case errors.Is(err, deferred.ErrLost):
		level = slog.LevelWarn
	}
	r.log.LogAttrs(ctx, level, "outcome not stored", about(&a.Offer, slog.Int("attempt", a.Number), slog.Any("err", err))...)
}
