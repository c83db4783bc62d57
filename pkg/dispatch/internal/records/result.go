package records

import (
	"context"
	"fmt"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
)

const (
	// maxWhole bounds a result that lies in many records, in bytes.
	maxWhole = 256 << 20
	// maxParts bounds the records of one result.
	maxParts = 1 << 20
)

var ErrParts = fmt.Errorf("dispatch: a result is made of more than %d records", maxParts)

// Outcome gives the outcome of a settled record with its whole result, which may lie in
// other records.
func (rs *Records) Outcome(ctx context.Context, r *deferred.Record) (deferred.Outcome, error) {
	o := r.Outcome()
	if r.ResultOf == "" {
		return o, nil
	}
	var err error
	o.Result, err = (&assembly{records: rs}).result(ctx, r)
	return o, err
}

// An assembly reads one result from many records.
type assembly struct {
	records     *Records
	size, parts int
}

func (a *assembly) result(ctx context.Context, r *deferred.Record) (deferred.Content, error) {
	for r.ResultOf != "" && r.ResultOf != r.ID {
		next, err := a.read(ctx, r, []deferred.ID{r.ResultOf})
		if err != nil {
			return deferred.Content{}, err
		}
		r = next[0]
	}
	if r.ResultOf == "" {
		return r.Result, nil
	}
	if r.Waits == nil {
		return deferred.Content{}, fmt.Errorf("%w: the members of %s, of whose results its own is made", deferred.ErrNotFound, r.ID)
	}
	members, err := a.members(ctx, r)
	if err != nil {
		return deferred.Content{}, err
	}
	data, err := protocol.ResultOf(r.Waits.Mode, members)
	return deferred.JSON(data), err
}

// members reads the members of a join, each with its whole result.
func (a *assembly) members(ctx context.Context, join *deferred.Record) ([]*deferred.Record, error) {
	unknown := protocol.SetOf(join.Waits.Unknown)
	members := make([]*deferred.Record, 0, len(join.Waits.On))
	for chunk := range slices.Chunk(join.Waits.On, ReadAtOnce) {
		known := slices.DeleteFunc(slices.Clone(chunk), func(id deferred.ID) bool { return unknown[id] })
		records, err := a.read(ctx, join, known)
		if err != nil {
			return nil, err
		}
		for _, id := range chunk {
			if unknown[id] { // also if its call has come since: the outcome of the join is final
				members = append(members, protocol.UnknownMember(id))
				continue
			}
			m := records[0]
			records = records[1:]
			if m.Result, err = a.result(ctx, m); err != nil {
				return nil, err
			}
			members = append(members, m)
		}
	}
	return members, nil
}

// read gives settled records. A replica may lag behind the replica that gave the referring
// record, so read looks for a missing record again, for a while.
func (a *assembly) read(ctx context.Context, r *deferred.Record, ids []deferred.ID) ([]*deferred.Record, error) {
	if a.parts += len(ids); a.parts > maxParts {
		return nil, fmt.Errorf("%w: that of %s", ErrParts, r.ID)
	}
	for wait := 20 * time.Millisecond; ; wait *= 2 {
		records, err := a.records.ReadAll(ctx, ids)
		if err != nil {
			return nil, err
		}
		missing := slices.IndexFunc(records, func(r *deferred.Record) bool { return !protocol.IsSettled(r) })
		if missing < 0 {
			return records, a.add(records)
		}
		if wait > time.Second/2 {
			return nil, fmt.Errorf("%w: %s, of whose result that of %s is made", deferred.ErrNotFound, ids[missing], r.ID)
		}
		if err := liveness.Pause(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (a *assembly) add(records []*deferred.Record) error {
	for _, r := range records {
		a.size += len(r.Result.Data)
	}
	if a.size > maxWhole {
		return &deferred.SizeError{Field: deferred.FieldResult, Size: a.size, Limit: maxWhole}
	}
	return nil
}
