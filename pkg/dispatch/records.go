package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"zasync/pkg/deferred"
)

// readAtOnce is how many records are asked for in one go.
const readAtOnce = 256

// changeRecords changes records, each by a compare-and-set of its own, until all
// are as change wants them. A record that is not there is given as a stub.
// change may be called for a record several times. Nothing is written unless fence,
// if there is one, is nil after the reading.
func (f *feed) changeRecords(ctx context.Context, ids []deferred.ID, fence func() error, change func(*deferred.Record) bool) error {
	for wait := 5 * time.Millisecond; len(ids) > 0; wait = min(2*wait, time.Second) {
		entries, err := f.store.Read(ctx, recordKeys(ids))
		if err != nil {
			return fmt.Errorf("dispatch: read records: %w", err)
		}
		var writes []Write
		for i, e := range entries {
			r, _, err := decodeRecord(e)
			if err != nil {
				return err
			}
			if r == nil {
				r = &deferred.Record{ID: ids[i], State: deferred.Pending}
			}
			if !change(r) {
				continue
			}
			w, err := f.writeOf(r, e.Revision, 0)
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
		ids = ids[:0:0]
		for i, w := range f.store.Write(ctx, writes) {
			switch {
			case errors.Is(w.Err, ErrConflict), errors.Is(w.Err, ErrUnknown):
				ids = append(ids, deferred.ID(writes[i].Name))
			case w.Err != nil:
				return fmt.Errorf("dispatch: write record %s: %w", writes[i].Name, w.Err)
			}
		}
		if len(ids) > 0 {
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
	}
	return nil
}

func recordKeys(ids []deferred.ID) []Key {
	keys := make([]Key, len(ids))
	for i, id := range ids {
		keys[i] = recordKey(id)
	}
	return keys
}

// readRecords gives a record for each id; nil for one that is not there.
func (q *Queue) readRecords(ctx context.Context, ids []deferred.ID) ([]*deferred.Record, error) {
	records := make([]*deferred.Record, 0, len(ids))
	for chunk := range slices.Chunk(ids, readAtOnce) {
		entries, err := q.store.Read(ctx, recordKeys(chunk))
		if err != nil {
			return nil, fmt.Errorf("dispatch: read records: %w", err)
		}
		for _, e := range entries {
			r, _, err := decodeRecord(e)
			if err != nil {
				return nil, err
			}
			records = append(records, r)
		}
	}
	return records, nil
}
