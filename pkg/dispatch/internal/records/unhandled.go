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

// Unhandled failures have entries in a space of their own, so that a reader finds them
// without reading every record. An entry is a hint and the record is the truth: a reader
// skips an entry that is not true any more, and deletes it.

// UnhandledKey is the key of the entry of a deferred.
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
