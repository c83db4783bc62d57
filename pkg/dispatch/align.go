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

// The entries of a record in its sources are written after the record says that it
// holds them, or before it says that it does not. Between the two a process may die.
// Who goes on from there aligns them.

// alignAll aligns a settled record and all that it hung on: those may have taken
// hold of their sources for it when it was open.
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

// align has the entries of records in their sources say what the records say, and
// those of the sources in theirs.
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
		// What was hung on it may have gone meanwhile, or something been hung on it.
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

// touch writes a record that holds its sources as it is: whoever is about to write
// that it does not, and let go of them before, has to do so again.
func (f *feed) touch(ctx context.Context, id deferred.ID) (now *deferred.Record, err error) {
	err = f.records.Change(ctx, []deferred.ID{id}, nil, func(r *deferred.Record) bool {
		now = r
		return r.Holds
	})
	return now, err
}

// mark makes the entries of a record in its sources what it says. It is ErrConflict
// if the record says otherwise by now: what is looked at between the reading of the
// sources and their writing cannot be let go of between the two unnoticed, since who
// lets go reads the record first and writes the sources then.
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

// letGoAnew writes the sources also if nothing changes in them: what a process
// that has died had on its way cannot be stored after that.
func (f *feed) letGoAnew(ctx context.Context, r *deferred.Record) error {
	_, err := f.letGo(ctx, protocol.Sources(r), r.ID, f.records.Keeping.End(r).Add(protocol.SourceGrace)) // as they have been told before
	return err
}

// referring gives those of the records that may have let go of their sources. One that
// has not, as it seems, may have done so since it was read: so the leader is asked.
func (f *feed) referring(ctx context.Context, ids []deferred.ID) (referring []*deferred.Record, err error) {
	seen, err := f.records.Sight(ctx, ids, f.records.Store.ReadLatest, true)
	for i := range seen {
		if r := seen[i].Record; r != nil && protocol.MaybeDetached(r) {
			referring = append(referring, r)
		}
	}
	return referring, err
}
