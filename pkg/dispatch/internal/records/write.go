package records

import (
	"context"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

// Write stores a record over a revision, to live for keep at least.
func (rs *Records) Write(ctx context.Context, r *deferred.Record, revision uint64, keep time.Duration) (uint64, error) {
	write, err := rs.WriteOf(r, revision, keep)
	if err != nil {
		return 0, err
	}
	w := rs.Store.Write(ctx, []driver.Write{write})[0]
	if w.Err != nil {
		return 0, fmt.Errorf("dispatch: write record %s: %w", r.ID, w.Err)
	}
	return w.Revision, nil
}

// WriteOf is the write of a record, with its time to live: none until nothing needs the
// record any more, then at least keep.
func (rs *Records) WriteOf(r *deferred.Record, revision uint64, keep time.Duration) (driver.Write, error) {
	r.Handled = r.Handled || r.TakenOn()
	if r.State != deferred.Held { // however it came to be released
		r.HoldReason = ""
	}
	data, err := r.AppendJSON(nil)
	if err != nil {
		return driver.Write{}, fmt.Errorf("dispatch: record %s: %w", r.ID, err)
	}
	ttl := rs.Keeping.TTL(r, rs.Clock.Now())
	if ttl > 0 {
		ttl = max(ttl, liveness.WholeSeconds(keep))
	}
	return driver.Write{Key: Key(r.ID), Value: data, Expect: revision, TTL: ttl}, nil
}
