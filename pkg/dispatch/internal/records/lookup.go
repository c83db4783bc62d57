package records

import (
	"context"
	"errors"
	"fmt"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// Lookup gives the record of an id, or one made from its message if no worker has met
// that.
func (rs *Records) Lookup(ctx context.Context, id deferred.ID) (deferred.Record, error) {
	s, err := rs.Read(ctx, id)
	if err != nil {
		return deferred.Record{}, err
	}
	r := s.Record
	if r != nil && (r.Seen || r.State.Settled()) {
		return *r, nil
	}
	found, hidden := rs.Find(ctx, id)
	if hidden != nil && !errors.Is(hidden, driver.ErrNotPermitted) { // a user without the right to messages sees records
		return deferred.Record{}, hidden
	}
	for i := range found {
		if seen, ok := rs.Preview(&found[i]); ok && !wire.Foreign(&found[i]) {
			return OverStub(r, seen), nil
		}
	}
	if r != nil {
		return *r, nil
	}
	// A worker may have claimed and settled the call between the two reads.
	if s, err = rs.Read(ctx, id); err != nil || s.Record != nil {
		return orZero(s.Record), err
	}
	if hidden != nil {
		return deferred.Record{}, fmt.Errorf("%w: %s has no record, and for its message: %w", deferred.ErrNotFound, id, hidden)
	}
	return deferred.Record{}, fmt.Errorf("%w: %s", deferred.ErrNotFound, id)
}

func orZero(r *deferred.Record) deferred.Record {
	if r == nil {
		return deferred.Record{}
	}
	return *r
}

// OverStub shows a call whose record has not met it: as its message says, but held if the
// record is.
func OverStub(stub *deferred.Record, seen deferred.Record) deferred.Record {
	if stub != nil && stub.State == deferred.Held {
		seen.State, seen.HoldReason = stub.State, stub.HoldReason
	}
	return seen
}

// Preview makes the record that a worker would make from a message.
func (rs *Records) Preview(d *driver.Delivery) (deferred.Record, bool) {
	c, err := wire.Decode(d)
	if err != nil {
		return deferred.Record{}, false
	}
	r := deferred.Record{ID: d.ID, State: deferred.Pending}
	c.ApplyTo(&r, c.Digest())
	if c.Due.After(r.NotBefore) {
		r.NotBefore = c.Due
	}
	switch {
	case c.Join != nil, c.Promise != "", d.Route == driver.Later && c.After != nil:
		r.State = deferred.Waiting
	case r.NotBefore.After(rs.Clock.Now()):
		r.State = deferred.Scheduled
	}
	return r, true
}
