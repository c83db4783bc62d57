package dispatch

import (
	"context"
	"fmt"
	"slices"

	"zasync/pkg/deferred"
)

// maxWhole bounds a result that is put together of many, in bytes.
const maxWhole = 256 << 20

// whole gives the outcome of a settled record. A result that was too large to be
// stored is put together from those of the members of its join.
func (q *Queue) whole(ctx context.Context, r *deferred.Record) (deferred.Outcome, error) {
	o := r.Outcome()
	if r.ResultOf == "" {
		return o, nil
	}
	join := r
	if r.ResultOf != r.ID {
		var err error
		if join, _, err = q.readRecord(ctx, r.ResultOf); err != nil {
			return o, err
		}
	}
	if join == nil || join.Waits == nil {
		return o, fmt.Errorf("%w: %s, of whose members the result of %s is made", deferred.ErrNotFound, r.ResultOf, r.ID)
	}
	members, err := q.membersOf(ctx, join)
	if err != nil {
		return o, err
	}
	data, err := resultOf(join.Waits.Mode, members)
	o.Result = deferred.JSON(data)
	return o, err
}

func (q *Queue) membersOf(ctx context.Context, join *deferred.Record) ([]*deferred.Record, error) {
	members := make([]*deferred.Record, 0, len(join.Waits.On))
	size := 0
	for chunk := range slices.Chunk(join.Waits.On, readAtOnce) {
		records, err := q.readRecords(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for i, m := range records {
			if !settled(m) && join.Waits.Mode == deferred.JoinAllSettled {
				records[i] = unknownMember(chunk[i])
				continue
			}
			if !settled(m) {
				return nil, fmt.Errorf("%w: %s, a member of %s, whose result is made of its members'", deferred.ErrNotFound, chunk[i], join.ID)
			}
			if m.ResultOf != "" { // a large join within a large join
				o, err := q.whole(ctx, m)
				if err != nil {
					return nil, err
				}
				m.Result = o.Result
			}
			if size += len(m.Result.Data); size > maxWhole {
				return nil, &deferred.SizeError{Field: deferred.FieldResult, Size: size, Limit: maxWhole}
			}
		}
		members = append(members, records...)
	}
	return members, nil
}
