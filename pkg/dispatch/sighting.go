package dispatch

import (
	"context"
	"fmt"
	"slices"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/protocol"
)

// A sighting is a record as it was read. It may be of any age, unless it is the
// latest: a replica that lags behind answers as well. A compare-and-set tells; an
// outcome that was seen is final, and so is a mark that is set. Whatever else ends
// without a compare-and-set of what it rests on rests on the leader's answer.
type sighting struct {
	record   *deferred.Record // nil: there was none
	revision uint64           // 0: there was none
	latest   bool             // the leader gave it, or it was written here
}

// readRecord gives the record of an id, which may be of any age.
func (rs *Records) readRecord(ctx context.Context, id deferred.ID) (sighting, error) {
	return one(rs.sight(ctx, []deferred.ID{id}, rs.Store.Read, false))
}

// latestRecord gives the record of an id as the leader has it.
func (rs *Records) latestRecord(ctx context.Context, id deferred.ID) (sighting, error) {
	return one(rs.sight(ctx, []deferred.ID{id}, rs.Store.ReadLatest, true))
}

func one(seen []sighting, err error) (sighting, error) {
	if err != nil {
		return sighting{}, err
	}
	return seen[0], nil
}

// readRecords gives a record for each id, of any age; nil for one that is not there.
func (rs *Records) readRecords(ctx context.Context, ids []deferred.ID) ([]*deferred.Record, error) {
	seen, err := rs.sight(ctx, ids, rs.Store.Read, false)
	return recordsOf(seen), err
}

// readOpenLatest reads the records of the ids: what has settled as any replica has
// it, and what seems to be open as the leader has it.
func (rs *Records) readOpenLatest(ctx context.Context, ids []deferred.ID) ([]sighting, error) {
	seen, err := rs.sight(ctx, ids, rs.Store.Read, false)
	if err != nil {
		return nil, err
	}
	var open []deferred.ID
	for i := range seen {
		if !protocol.IsSettled(seen[i].record) {
			open = append(open, ids[i])
		}
	}
	latest, err := rs.sight(ctx, open, rs.Store.ReadLatest, true)
	if err != nil {
		return nil, err
	}
	for i := range seen {
		if !protocol.IsSettled(seen[i].record) {
			seen[i], latest = latest[0], latest[1:]
		}
	}
	return seen, nil
}

// sight reads a record for each id.
func (rs *Records) sight(ctx context.Context, ids []deferred.ID, read func(context.Context, []driver.Key) ([]driver.Entry, error), latest bool) ([]sighting, error) {
	seen := make([]sighting, 0, len(ids))
	for chunk := range slices.Chunk(ids, readAtOnce) {
		entries, err := read(ctx, recordKeys(chunk))
		if err != nil {
			return nil, fmt.Errorf("dispatch: read records (%s first): %w", chunk[0], err)
		}
		for _, e := range entries {
			r, revision, err := decodeRecord(e)
			if err != nil {
				return nil, err
			}
			seen = append(seen, sighting{record: r, revision: revision, latest: latest})
		}
	}
	return seen, nil
}

func recordsOf(seen []sighting) []*deferred.Record {
	records := make([]*deferred.Record, len(seen))
	for i := range seen {
		records[i] = seen[i].record
	}
	return records
}
