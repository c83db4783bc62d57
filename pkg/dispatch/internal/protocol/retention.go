package protocol

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/liveness"
)

// A record with a large result refers to its sources: the record whose result it took
// over, or the members of a join. The sources live as long as the record:
//
//   - Its entries in them keep them until every deferred that hangs on it has settled.
//   - Then it releases them, and the same writes say until when they are needed.
//   - A callback that is attached later makes it attach to them again.

// SourceGrace is how much longer a source is kept than the record that refers to it. The
// clocks of two workers may differ, and times to live are whole seconds.
const SourceGrace = deferred.MinKeep / 2

const (
	// forgetStub is the time to live of a record without a call and without entries.
	forgetStub = 10 * time.Minute
	// forgetUnmet is the time to live of a cancel or a hold whose call has not come. The
	// call may be a callback, whose parent waits for months.
	forgetUnmet = 360 * 24 * time.Hour
	// forgetLate is the least time to live of a record that nothing needs any more. A
	// late message of its call still meets it.
	forgetLate = deferred.MinKeep
	// KeptAfterDeath is the least time to live of a record whose call a worker died with.
	// The next worker may die before it acknowledges.
	KeptAfterDeath = 24 * time.Hour
)

// Retention says how long settled records are kept.
type Retention struct {
	Succeeded, Others time.Duration // after such an outcome, if the call does not say
}

// TTL is the time to live of a record. It is 0, for ever, until nothing needs the
// record:
//
//   - it has met its call, or waited long enough for it, and no message of the call is
//     left behind;
//   - every deferred that hangs on it has settled;
//   - its parent and its members know that it has settled.
//
// Then it is the rest of the time for which its outcome is kept, or for which another
// record needs its result.
func (k Retention) TTL(r *deferred.Record, now time.Time) time.Duration {
	if !NoDependents(r) {
		return 0
	}
	if !r.Seen {
		return retentionUnmet(r)
	}
	if !r.State.Settled() || r.Parent != nil && !r.Parent.Released || r.Carried || StillAttached(r) || r.Holds {
		return 0
	}
	left := max(k.End(r).Sub(now), time.Second)
	if r.ResultOf == "" { // a record with sources lives as long as they do
		left = max(left, k.Least(r))
	}
	return liveness.WholeSeconds(left)
}

// retentionUnmet is the time to live of a record without its call. Such a record has the
// entry of a waiter, or a cancel or a hold that must count when the call comes.
func retentionUnmet(r *deferred.Record) time.Duration {
	switch {
	case r.State.Settled(), r.State == deferred.Held:
		return forgetUnmet
	case r.State == deferred.Pending:
		return forgetStub
	}
	return 0
}

// End is the time until which a settled record is kept.
func (k Retention) End(r *deferred.Record) time.Time {
	return liveness.Latest(r.Settled.Add(k.Kept(r)), r.Needed)
}

// Least is the least time to live of a record that no other record needs any more.
func (k Retention) Least(r *deferred.Record) time.Duration { return min(k.Kept(r), forgetLate) }

// Kept is how long a record is kept after it has settled.
func (k Retention) Kept(r *deferred.Record) time.Duration {
	switch {
	case r.Keep > 0:
		return r.Keep
	case r.State == deferred.Succeeded:
		return k.Succeeded
	}
	return k.Others
}

// StillAttached reports whether a join or an adopter has still to detach from its members.
// A callback has no such step: it tells its parent like any other deferred.
func StillAttached(r *deferred.Record) bool {
	return r.Waits != nil && r.Waits.Mode != deferred.AfterParent && !r.Waits.Released
}

// LeastKept is the least time for which a record is kept after it has settled, whatever
// its outcome.
func (k Retention) LeastKept(r *deferred.Record) time.Duration {
	switch {
	case r.Keep > 0:
		return r.Keep
	case !r.Seen:
		return deferred.MinKeep
	}
	return max(min(k.Succeeded, k.Others), deferred.MinKeep)
}
