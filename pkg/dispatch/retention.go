package dispatch

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/liveness"
)

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
	// keptAfterDeath is the least time for which the record of a call is kept with
	// which a worker died. The next one may die before it acknowledges.
	keptAfterDeath = 24 * time.Hour
)

// retention is 0, for ever, until nothing needs the record any more: it has met
// its call, or waited long enough for it, and no message of that is left behind,
// what hangs on it has settled, its own parent knows that it has, and what it
// waited for has been let go. From then on it is what is left of the time for
// which such an outcome is kept, counted from its settling, or for which a result
// that is made of it is.
func (q *Queue) retention(r *deferred.Record) time.Duration {
	if !idle(r) {
		return 0
	}
	if !r.Seen {
		return retentionUnmet(r)
	}
	if !r.State.Settled() || r.Parent != nil && !r.Parent.Released || r.Carried || holdsMembers(r) || r.Holds {
		return 0
	}
	left := max(q.end(r).Sub(q.clock.Now()), time.Second)
	if r.ResultOf == "" { // its sources are kept for so long, and no longer
		left = max(left, q.least(r))
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

// end is when the time is over for which a settled record is kept.
func (q *Queue) end(r *deferred.Record) time.Time {
	return liveness.Latest(r.Settled.Add(q.kept(r)), r.Needed)
}

// least is for how long it is kept at least once nothing needs it any more.
func (q *Queue) least(r *deferred.Record) time.Duration { return min(q.kept(r), forgetLate) }

// kept is how long a record is kept after it has settled.
func (q *Queue) kept(r *deferred.Record) time.Duration {
	switch {
	case r.Keep > 0:
		return r.Keep
	case r.State == deferred.Succeeded:
		return q.config.KeepSucceeded
	}
	return q.config.KeepOthers
}

// holdsMembers: a callback lets its parent go when it settles, like any other;
// a join and an adopter let go of what they waited for by a step of their own.
func holdsMembers(r *deferred.Record) bool {
	return r.Waits != nil && r.Waits.Mode != deferred.AfterParent && !r.Waits.Released
}
