package records

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
)

// A Sighting is a record as it was read. Unless it is the latest it may be stale by any
// time, since a replica that lags answers too. A compare-and-set on a stale record
// fails; an outcome is final, and so is a mark. Any other decision needs the leader's
// answer.
type Sighting struct {
	Record   *deferred.Record // nil: there was none
	Revision uint64           // 0: there was none
	Latest   bool             // the leader gave it, or it was written here
}

// Read gives the record of an id from any replica: it may be stale.
func (rs *Records) Read(ctx context.Context, id deferred.ID) (Sighting, error) {
	return one(rs.Sight(ctx, []deferred.ID{id}, rs.Store.Read, false))
}

// ReadLatest gives the record of an id from the leader.
func (rs *Records) ReadLatest(ctx context.Context, id deferred.ID) (Sighting, error) {
	return one(rs.Sight(ctx, []deferred.ID{id}, rs.Store.ReadLatest, true))
}

func one(seen []Sighting, err error) (Sighting, error) {
	if err != nil {
		return Sighting{}, err
	}
	return seen[0], nil
}

// ReadAll gives a record for each id from any replica, or nil.
func (rs *Records) ReadAll(ctx context.Context, ids []deferred.ID) ([]*deferred.Record, error) {
	seen, err := rs.Sight(ctx, ids, rs.Store.Read, false)
	return RecordsOf(seen), err
}

// ReadOpenLatest gives a record for each id: settled ones from any replica, the others
// from the leader.
func (rs *Records) ReadOpenLatest(ctx context.Context, ids []deferred.ID) ([]Sighting, error) {
	seen, err := rs.Sight(ctx, ids, rs.Store.Read, false)
	if err != nil {
		return nil, err
	}
	var open []deferred.ID
	for i := range seen {
		if !protocol.IsSettled(seen[i].Record) {
			open = append(open, ids[i])
		}
	}
	latest, err := rs.Sight(ctx, open, rs.Store.ReadLatest, true)
	if err != nil {
		return nil, err
	}
	for i := range seen {
		if !protocol.IsSettled(seen[i].Record) {
			seen[i], latest = latest[0], latest[1:]
		}
	}
	return seen, nil
}

// Sight reads a record for each id.
func (rs *Records) Sight(ctx context.Context, ids []deferred.ID, read func(context.Context, []driver.Key) ([]driver.Entry, error), latest bool) ([]Sighting, error) {
	seen := make([]Sighting, 0, len(ids))
	for chunk := range slices.Chunk(ids, ReadAtOnce) {
		entries, err := read(ctx, recordKeys(chunk))
		if err != nil {
			return nil, fmt.Errorf("dispatch: read records (%s first): %w", chunk[0], err)
		}
		for _, e := range entries {
			r, revision, err := Decode(e)
			if err != nil {
				return nil, err
			}
			seen = append(seen, Sighting{Record: r, Revision: revision, Latest: latest})
		}
	}
	return seen, nil
}

func RecordsOf(seen []Sighting) []*deferred.Record {
	records := make([]*deferred.Record, len(seen))
	for i := range seen {
		records[i] = seen[i].Record
	}
	return records
}

// ReadBack asks the leader until an answer comes. It is for a worker that does not know
// whether its write was stored: it may do nothing else before it knows.
func (rs *Records) ReadBack(ctx context.Context, id deferred.ID) (Sighting, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		back, err := rs.ReadLatest(ctx, id)
		if err == nil {
			return back, nil
		}
		if liveness.Pause(ctx, wait) != nil {
			return Sighting{}, err
		}
	}
}

// ErrUnreadable: the value under a key does not have the form of this version. Another client wrote it, or a newer version of zasync.
var ErrUnreadable = errors.New("dispatch: what is stored there cannot be read")

// Decode reads a record from its entry. Nil is no record.
func Decode(e driver.Entry) (*deferred.Record, uint64, error) {
	if e.Revision == 0 {
		return nil, 0, nil
	}
	r := new(deferred.Record)
	if err := r.UnmarshalJSON(e.Value); err != nil {
		return nil, 0, fmt.Errorf("dispatch: record %s: %w: %w", e.Name, ErrUnreadable, err)
	}
	return r, e.Revision, nil
}

// DecodeOwn decodes an entry of a listing. It also refuses a record whose id is not that
// of its key: any client with the right to write may have put it there.
func DecodeOwn(e driver.Entry) (*deferred.Record, error) {
	r, _, err := Decode(e)
	if err == nil && r != nil && string(r.ID) != e.Name {
		return nil, fmt.Errorf("dispatch: record %s: %w: it is that of %q", e.Name, ErrUnreadable, string(r.ID))
	}
	return r, err
}

// Key is the key of a record.
func Key(id deferred.ID) driver.Key { return driver.Key{Space: driver.Records, Name: string(id)} }
