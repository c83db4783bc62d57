package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/wire"
)

// nameLimit is how long the name of a worker is looked for: not everybody may
// read heartbeats, and who may not gets no answer.
const nameLimit = time.Second

// ofAttempt adds to a failure that ends a running attempt which one it was, and
// who performed it, as a handler's failure has them. Of a worker that is dead
// nobody knows the name any more; its incarnation is in the record's token.
func (rs *Records) ofAttempt(ctx context.Context, r *deferred.Record, f *deferred.Failure) *deferred.Failure {
	if r.State != deferred.Running {
		return f
	}
	f.Attempt = r.Attempt
	ctx, cancel := context.WithTimeout(ctx, nameLimit)
	defer cancel()
	entries, err := rs.Store.Read(ctx, []driver.Key{{Space: driver.Workers, Name: r.Token.Worker}})
	var beat liveness.Heartbeat
	if err == nil && json.Unmarshal(entries[0].Value, &beat) == nil {
		f.Worker = wire.CutText(beat.Name, maxSaid) // anybody may have written it
	}
	return f
}
