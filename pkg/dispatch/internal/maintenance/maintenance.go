// Package maintenance has the periodic duties of a queue: schedules that did not fire,
// settled records beyond their bound, and annotations without a record.
//
// Every worker has a [Janitor]. The workers share one [Turn], which is an entry beside
// the heartbeats: the worker that holds it does the round.
package maintenance

import (
	"context"
	"log/slog"
	"time"

	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/records"
)

// A Janitor does the periodic duties of a queue on one worker. The workers take turns.
type Janitor struct {
	Records    *records.Records
	Log        *slog.Logger
	MaxRecords int           // bounds the settled records
	Every      time.Duration // between two rounds
	Turn       *Turn
}

// Run does the rounds of this worker's turn until the context ends.
func (j *Janitor) Run(ctx context.Context) {
	every := j.Every
	var swept noteSweep
	for wait := every; liveness.Pause(ctx, wait) == nil; {
		began := time.Now()
		if j.Turn.Take(ctx) {
			j.putOverdueAgain(ctx)
			j.evict(ctx)
			swept.sweep(ctx, j)
		}
		// A long scan is a load for the server, so the next round comes later. A scan
		// that only waited for an answer must not put it off for long.
		wait = min(max(every, 20*time.Since(began)), 10*every)
	}
}
