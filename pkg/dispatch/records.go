package dispatch

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

// Records reads and writes what a queue keeps: the records by compare-and-set, and the
// messages.
type Records struct {
	Store   driver.Store
	Broker  driver.Broker
	Clock   *liveness.Clock
	Keeping protocol.Retention
	Log     *slog.Logger
}

// readAtOnce is how many records are asked for in one go.
const readAtOnce = 256

// changeRecords changes records, each by a compare-and-set of its own, until all
// are as change wants them. A record that is not there is given as a stub.
// change may be called for a record several times: what it leaves as it is, and what
// had a conflict, is asked of the leader, since any replica may have answered first.
// Nothing is written unless fence, if there is one, is nil after the reading. A
// [*fullError] says which records do not take in what was to be written; all others
// are as they are to be.
func (rs *Records) changeRecords(ctx context.Context, ids []deferred.ID, fence func() error, change func(*deferred.Record) bool) error {
	var full *fullError
	read, latest := rs.Store.Read, false
	for wait := 5 * time.Millisecond; len(ids) > 0; {
		entries, err := read(ctx, recordKeys(ids))
		if err != nil {
			return fmt.Errorf("dispatch: read records: %w", err)
		}
		var writes []driver.Write
		var unsure []deferred.ID
		for i, e := range entries {
			r, _, err := decodeRecord(e)
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
			w, err := rs.writeOf(r, e.Revision, 0)
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
					full = &fullError{cause: w.Err}
				}
				full.ids = append(full.ids, deferred.ID(writes[i].Name))
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

// fullError says which records would be larger than the server takes.
type fullError struct {
	ids   []deferred.ID
	cause error
}

func (e *fullError) Error() string {
	return fmt.Sprintf("dispatch: %d records, %s first: %v", len(e.ids), e.ids[0], e.cause)
}

func (e *fullError) Unwrap() error { return e.cause }

func recordKeys(ids []deferred.ID) []driver.Key {
	keys := make([]driver.Key, len(ids))
	for i, id := range ids {
		keys[i] = recordKey(id)
	}
	return keys
}
