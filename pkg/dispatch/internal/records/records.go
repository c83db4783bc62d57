// Package records owns the state of a queue: it reads and changes records by
// compare-and-set, and stores messages, through the two seams.
//
// Each method asks again while no answer comes, where that is harmless. A [Sighting]
// says whether the leader gave a record or any replica, which may lag.
package records

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
)

// Records is the store and the broker of a queue, with the rules for writing records.
type Records struct {
	Store   driver.Store
	Broker  driver.Broker
	Clock   *liveness.Clock
	Keeping protocol.Retention
	Log     *slog.Logger
}

// ReadAtOnce is how many records one request asks for.
const ReadAtOnce = 256

// Change applies a change to records, each by a compare-and-set of its own, until every
// record has it.
//
//   - change reports whether it changed the record. It may run several times for one
//     record, and gets a stub for an id without a record.
//   - A record that it left alone, and one with a conflict, is read again from the
//     leader: the first read may have been stale.
//   - fence runs after each read. An error of it ends the change before the write. Nil
//     is no fence.
//   - A [*FullError] names the records that would be too large; all others have the
//     change.
func (rs *Records) Change(ctx context.Context, ids []deferred.ID, fence func() error, change func(*deferred.Record) bool) error {
	var full *FullError
	read, latest := rs.Store.Read, false
	for wait := 5 * time.Millisecond; len(ids) > 0; {
		entries, err := read(ctx, recordKeys(ids))
		if err != nil {
			return fmt.Errorf("dispatch: read records: %w", err)
		}
		var writes []driver.Write
		var unsure []deferred.ID
		for i, e := range entries {
			r, _, err := Decode(e)
			if err != nil {
				return err
			}
			if r == nil {
				r = &deferred.Record{ID: ids[i], State: deferred.Pending}
			}
			if !change(r) {
				unsure = append(unsure, ids[i])
				continue
			}
			w, err := rs.WriteOf(r, e.Revision, 0)
			if err != nil {
				return err
			}
			writes = append(writes, w)
		}
		if fence != nil && len(writes) > 0 {
			if err := fence(); err != nil {
				return err
			}
		}
		if latest {
			unsure = nil
		}
		ids = unsure
		for i, w := range rs.Store.Write(ctx, writes) {
			switch {
			case errors.Is(w.Err, driver.ErrConflict), errors.Is(w.Err, driver.ErrUnknown):
				ids = append(ids, deferred.ID(writes[i].Name))
			case errors.Is(w.Err, driver.ErrTooLarge):
				if full == nil {
					full = &FullError{cause: w.Err}
				}
				full.IDs = append(full.IDs, deferred.ID(writes[i].Name))
			case w.Err != nil:
				return fmt.Errorf("dispatch: write record %s: %w", writes[i].Name, w.Err)
			}
		}
		read, latest = rs.Store.ReadLatest, true
		if len(ids) > len(unsure) {
			if err := liveness.Pause(ctx, wait); err != nil {
				return err
			}
			wait = min(2*wait, time.Second)
		}
	}
	if full != nil {
		return full
	}
	return nil
}

// FullError says which records would be larger than the server takes.
type FullError struct {
	IDs   []deferred.ID
	cause error
}

func (e *FullError) Error() string {
	return fmt.Sprintf("dispatch: %d records, %s first: %v", len(e.IDs), e.IDs[0], e.cause)
}

func (e *FullError) Unwrap() error { return e.cause }

func recordKeys(ids []deferred.ID) []driver.Key {
	keys := make([]driver.Key, len(ids))
	for i, id := range ids {
		keys[i] = Key(id)
	}
	return keys
}
