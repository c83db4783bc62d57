package records

import (
	"context"
	"encoding/json"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/wire"
)

// Cancel settles an open record as cancelled, with its call taken in.
func (rs *Records) Cancel(ctx context.Context, r *deferred.Record, c *deferred.Command) error {
	args, err := rs.AbsorbMessages(ctx, r)
	if err != nil {
		return err
	}
	rs.SettleCancelled(ctx, r, c)
	r.Args = args
	return nil
}

// SettleCancelled settles a record as cancelled.
func (rs *Records) SettleCancelled(ctx context.Context, r *deferred.Record, c *deferred.Command) {
	r.Settle(deferred.Cancelled, rs.OfAttempt(ctx, r, deferred.CancelFailure(c.Reason)))
	r.SettledBy = c.By
}

// nameLimit bounds the search for a worker's name. A user without the right to read
// heartbeats gets no answer.
const nameLimit = time.Second

// OfAttempt adds the number of the running attempt and the name of its worker to a
// failure that ends it. The name of a dead worker is gone with its heartbeat.
func (rs *Records) OfAttempt(ctx context.Context, r *deferred.Record, f *deferred.Failure) *deferred.Failure {
	if r.State != deferred.Running {
		return f
	}
	f.Attempt = r.Attempt
	ctx, cancel := context.WithTimeout(ctx, nameLimit)
	defer cancel()
	entries, err := rs.Store.Read(ctx, []driver.Key{{Space: driver.Workers, Name: r.Token.Worker}})
	var beat liveness.Heartbeat
	if err == nil && json.Unmarshal(entries[0].Value, &beat) == nil {
		f.Worker = wire.CutText(beat.Name, maxSaid) // any client may have written it
	}
	return f
}
