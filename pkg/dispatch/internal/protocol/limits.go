package protocol

import (
	"time"

	"zasync/pkg/deferred"
)

// ExpiryFailure says which of its times a deferred has missed: begin-by or deadline.
func ExpiryFailure(r *deferred.Record, now time.Time) *deferred.Failure {
	message := "no worker began it by " + r.BeginBy.UTC().Format(time.RFC3339)
	if d := r.Deadline; !d.IsZero() && !now.Before(d) {
		message = "it had not settled by " + d.UTC().Format(time.RFC3339)
	}
	return &deferred.Failure{Kind: deferred.KindExpired, Message: message}
}

// WaitLimit is when a deferred expires while it waits. Zero is never.
func WaitLimit(r *deferred.Record) time.Time {
	limit := r.Deadline
	if w := r.Waits; w != nil && w.Mode == deferred.AfterParent && !r.BeginBy.IsZero() && (limit.IsZero() || r.BeginBy.Before(limit)) {
		limit = r.BeginBy
	}
	return limit
}

// WaitUntil decides that a deferred waits for a wake, without a message. A limit needs an
// alarm.
func WaitUntil(limit time.Time, why string) Decision {
	if limit.IsZero() {
		return Decision{Action: Discard, Why: why}
	}
	return Decision{Action: ParkWake, Until: limit, Why: why}
}
