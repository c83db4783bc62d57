package suite

import (
	"context"
	"fmt"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// skewed reads two records at two moments, once: what happens in between it is
// told.
type skewed struct {
	driver.Store
	first, second driver.Key
	between       func()
	reads         atomic.Int32 // of both keys that are still let through
}

func (s *skewed) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	entries, err := s.Store.Read(ctx, keys)
	if err != nil || len(keys) != 2 || keys[0] != s.first || keys[1] != s.second || s.reads.Add(-1) != 0 {
		return entries, err
	}
	s.between()
	later, err := s.Store.Read(ctx, keys)
	if err != nil {
		return nil, err
	}
	return []driver.Entry{entries[0], later[1]}, nil
}

// The members are not read at one moment. The first has settled before the second
// decides, though it was read before it had; whichever of the reads it is.
func earlierThoughReadOpen(r *rig) {
	for mode, state := range map[deferred.JoinMode]deferred.State{
		deferred.JoinAll: deferred.Failed, deferred.JoinAny: deferred.Succeeded, deferred.JoinRace: deferred.Succeeded,
	} {
		for n, tried := int32(1), true; tried; n++ {
			tried = r.raceReadsAskew(mode, state, n)
			if !tried && n < 3 {
				r.Errorf("%s reads its members %d times only: nothing was tried", mode, n-1)
			}
		}
	}
}

// raceReadsAskew has both members settle within the n-th reading of them; false if
// there are not so many.
func (r *rig) raceReadsAskew(mode deferred.JoinMode, state deferred.State, n int32) bool {
	id := deferred.ID(fmt.Sprint(mode, "-", n))
	a, b := id+"-a", id+"-b"
	for _, m := range []deferred.ID{a, b} {
		r.write(m, func(rec *deferred.Record) { rec.State, rec.Seen, rec.Name = deferred.Pending, true, "nobody" })
	}
	settle := func(id deferred.ID, second int64) {
		r.write(id, func(rec *deferred.Record) {
			settledRecord(rec, state, second)
			rec.Result = deferred.JSON([]byte("1"))
		})
	}
	key := func(id deferred.ID) driver.Key { return driver.Key{Space: driver.Records, Name: string(id)} }
	var tried atomic.Bool
	s := &skewed{Store: r.pair.Store, first: key(a), second: key(b), between: func() {
		settle(a, 10)
		settle(b, 20)
		tried.Store(true)
	}}
	s.reads.Store(n)
	h := r.join(r.over(s, r.pair.Broker), "nothing")
	r.submit(joinOf(id, mode, a, b))
	r.becomesEmpty(driver.Later)
	r.becomesEmpty(driver.Commands)
	if tried.Load() {
		r.put(driver.Message{Route: driver.Commands, Verb: "wake", ID: id})
		if rec, err := r.queue.Await(r.ctx, id); err != nil || rec.Waits.Winner != a {
			r.Errorf("%s with its members settled in its reading %d: %+v (%v)", mode, n, rec.Waits, err)
		}
	}
	h.leaveNow()
	return tried.Load()
}
