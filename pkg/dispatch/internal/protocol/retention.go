package protocol

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/liveness"
)

// A record with a large result refers to its sources: to the one that it took
// the result over from, or, of a join, to its members. They exist for as long as
// it does. Its entries in them keep them until all that hangs on it has settled.
// Then it lets go, and says in the same writes until when they are needed still;
// it is not kept for longer itself. Whoever hangs itself on it after that has it
// take hold of them again.

// SourceGrace is by how much what is referred to is kept for longer than what refers
// to it: the clocks of two workers may differ, and times to live are whole seconds.
const SourceGrace = deferred.MinKeep / 2

const (
	// forgetStub is how long a record that has met nothing, and that nothing
	// hangs on any more, is kept.
	forgetStub = 10 * time.Minute
	// forgetUnmet is how long what was said of a call that nobody has met is kept:
	// that it is cancelled, or held. The call may be a callback, whose parent waits
	// for months.
	forgetUnmet = 360 * 24 * time.Hour
	// forgetLate is the least that is left of a record's time once nothing needs
	// it any more, so that a message of its call that comes late still meets it.
	forgetLate = deferred.MinKeep
	// KeptAfterDeath is the least time for which the record of a call is kept with
	// which a worker died. The next one may die before it acknowledges.
	KeptAfterDeath = 24 * time.Hour
)

// Retention says how long settled records are kept.
type Retention struct {
	Succeeded, Others time.Duration // after such an outcome, if the call does not say
}

// TTL is the time to live of a record. It is 0, for ever, until nothing needs the record any more: it has met
// its call, or waited long enough for it, and no message of that is left behind,
// what hangs on it has settled, its own parent knows that it has, and what it
// waited for has been let go. From then on it is what is left of the time for
// which such an outcome is kept, counted from its settling, or for which a result
// that is made of it is.
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
	if r.ResultOf == "" { // its sources are kept for so long, and no longer
		left = max(left, k.Least(r))
	}
	return liveness.WholeSeconds(left)
}

// retentionUnmet is that of a record that has not met its call. It says that
// somebody waits for it, or something that must hold when it comes.
func retentionUnmet(r *deferred.Record) time.Duration {
	switch {
	case r.State.Settled(), r.State == deferred.Held:
		return forgetUnmet
	case r.State == deferred.Pending:
		return forgetStub
	}
	return 0
}

// End is when the time is over for which a settled record is kept.
func (k Retention) End(r *deferred.Record) time.Time {
	return liveness.Latest(r.Settled.Add(k.Kept(r)), r.Needed)
}

// Least is for how long it is kept at least once nothing needs it any more.
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

// StillAttached: a callback lets its parent go when it settles, like any other;
// a join and an adopter let go of what they waited for by a step of their own.
func StillAttached(r *deferred.Record) bool {
	return r.Waits != nil && r.Waits.Mode != deferred.AfterParent && !r.Waits.Released
}

// LeastKept is for how long a record is kept at least after it has settled, however
// that will be.
func (k Retention) LeastKept(r *deferred.Record) time.Duration {
	switch {
	case r.Keep > 0:
		return r.Keep
	case !r.Seen:
		return deferred.MinKeep
	}
	return max(min(k.Succeeded, k.Others), deferred.MinKeep)
}
