package records

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

// Failures that nobody took on are listed under a space of their own, so that
// they are found without reading every record. The list is a hint of where to
// look, and the record the truth: an entry that is not true any more is passed
// over, and taken off by whoever meets it.

func UnhandledKey(id deferred.ID) driver.Key {
	return driver.Key{Space: driver.Unhandled, Name: string(id)}
}

// ListUnhandled puts a failure on the list of unhandled ones, for as long as its record
// lives.
func (rs *Records) ListUnhandled(ctx context.Context, r *deferred.Record) error {
	value, err := json.Marshal(struct {
		Name    string    `json:"name"`
		Queue   string    `json:"queue"`
		Kind    string    `json:"kind"`
		Settled time.Time `json:"settled"`
	}{r.Name, r.Queue, kindOf(r), r.Settled.UTC()})
	if err != nil {
		return fmt.Errorf("dispatch: unhandled %s: %w", r.ID, err)
	}
	w := rs.Store.Write(ctx, []driver.Write{{Key: UnhandledKey(r.ID), Value: value, Expect: driver.Unconditional, TTL: max(liveness.WholeSeconds(rs.Keeping.Kept(r)), time.Second)}})[0]
	return w.Err
}

// kindOf is the kind of a failure. A record that another client wrote may have none.
func kindOf(r *deferred.Record) string {
	if r.Failure == nil {
		return string(r.State)
	}
	return r.Failure.Kind
}

// UnlistUnhandled takes a deferred off the list, if its entry has the expected revision.
func (rs *Records) UnlistUnhandled(ctx context.Context, id deferred.ID, expect uint64) error {
	return rs.Store.Write(ctx, []driver.Write{{Key: UnhandledKey(id), Expect: expect, Delete: true}})[0].Err
}
