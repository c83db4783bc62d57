package dispatch

import (
	"context"
	"errors"
	"slices"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
)

// A record and its entries in its sources are written in two steps:
//
//   - To hold the sources, a worker first writes the record, then the entries.
//   - To let go of them, it first writes the entries, then the record.
//
// A process may die between the two steps. The worker that continues aligns the entries
// with the record.

// alignAll aligns a settled record, its parent and the deferreds that it waited for.
// Those may have taken hold of their own sources for it while it was open.
func (f *feed) alignAll(ctx context.Context, r *deferred.Record) error {
	var ids []deferred.ID
	if r.Parent != nil {
		ids = append(ids, r.Parent.ID)
	}
	if r.Waits != nil {
		ids = append(ids, r.Waits.On...)
	}
	others, err := f.referring(ctx, ids)
	if err != nil {
		return err
	}
	return f.align(ctx, append(others, r)...)
}

// align makes the entries of records in their sources say what the records say. It does
// the same for the entries of the sources in their own sources.
func (f *feed) align(ctx context.Context, records ...*deferred.Record) error {
	seen := map[deferred.ID]bool{}
	for next := records; len(next) > 0; next = next[1:] {
		r := next[0]
		if seen[r.ID] || r.ResultOf == "" {
			continue
		}
		seen[r.ID] = true
		if err := f.alignOne(ctx, r); err != nil {
			return err
		}
		further, err := f.referring(ctx, protocol.Sources(r))
		if err != nil {
			return err
		}
		next = append(next, further...)
	}
	return nil
}

func (f *feed) alignOne(ctx context.Context, r *deferred.Record) error {
	for {
		marked := f.mark(ctx, r)
		if marked != nil && !errors.Is(marked, driver.ErrConflict) {
			return marked
		}
		// Dependents may have settled or attached meanwhile.
		now, err := f.touch(ctx, r.ID)
		switch {
		case err != nil:
			return err
		case !now.State.Settled():
			return f.letGoAnew(ctx, r)
		case now.Holds == r.Holds && marked == nil:
			return nil
		}
		r = now
	}
}

// touch writes a record that holds its sources, and changes nothing in it. Another
// worker may have let go of the sources, and be about to write that into the record.
// Its compare-and-set then fails, and it must begin again.
func (f *feed) touch(ctx context.Context, id deferred.ID) (now *deferred.Record, err error) {
	err = f.records.Change(ctx, []deferred.ID{id}, nil, func(r *deferred.Record) bool {
		now = r
		return r.Holds
	})
	return now, err
}

// mark makes the entries of a record in its sources say what the record says. It
// returns ErrConflict if the record says otherwise by now.
//
// mark looks at the record between the read and the write of the sources. A worker that
// lets go reads the record first and writes the sources then. So mark notices if a
// worker lets go of them in between.
func (f *feed) mark(ctx context.Context, r *deferred.Record) error {
	if !r.Holds {
		return f.letGoAnew(ctx, r)
	}
	holds := func() error {
		now, err := f.touch(ctx, r.ID)
		if err == nil && !now.Holds {
			return driver.ErrConflict
		}
		return err
	}
	for chunk := range slices.Chunk(protocol.Sources(r), records.ReadAtOnce) {
		err := f.records.Change(ctx, chunk, holds, func(x *deferred.Record) bool { return x.State.Settled() && protocol.ReattachEntry(x, r.ID) })
		var full *records.FullError
		if err != nil && !errors.As(err, &full) {
			return err
		}
	}
	return nil
}

// letGoAnew writes the sources even if nothing changes in them. A delayed write of a
// dead process cannot be stored after that.
func (f *feed) letGoAnew(ctx context.Context, r *deferred.Record) error {
	_, err := f.letGo(ctx, protocol.Sources(r), r.ID, f.records.Keeping.End(r).Add(protocol.SourceGrace)) // the time that the sources were told before
	return err
}

// referring gives the records that may have let go of their sources. It asks the
// leader: a replica may show a record as it was before it let go.
func (f *feed) referring(ctx context.Context, ids []deferred.ID) (referring []*deferred.Record, err error) {
	seen, err := f.records.Sight(ctx, ids, f.records.Store.ReadLatest, true)
	for i := range seen {
		if r := seen[i].Record; r != nil && protocol.MaybeDetached(r) {
			referring = append(referring, r)
		}
	}
	return referring, err
}
