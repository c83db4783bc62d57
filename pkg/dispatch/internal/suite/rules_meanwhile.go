package suite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// meanwhile has something happen right before the first deletion in a space. What
// was written by it must not be deleted.
type meanwhile struct {
	driver.Store
	space   driver.Space
	before  func(w driver.Write)
	first   sync.Once
	after   func() // the first deletion of a record; nil is nothing
	deleted sync.Once
	refused chan bool
}

func (s *meanwhile) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	at := -1
	for i, w := range writes {
		if w.Delete && w.Space == s.space {
			s.first.Do(func() { s.before(w); at = i })
		}
	}
	written := s.Store.Write(ctx, writes)
	if s.after != nil && len(writes) > 0 && writes[0].Delete && writes[0].Space == driver.Records {
		s.deleted.Do(s.after)
	}
	if at >= 0 {
		s.refused <- errors.Is(written[at].Err, driver.ErrConflict)
	}
	return written
}

func (r *rig) notDeleted(s *meanwhile) {
	r.Helper()
	select {
	case refused := <-s.refused:
		if !refused {
			r.Error("what was written meanwhile was deleted")
		}
	case <-r.ctx.Done():
		r.Error("nothing was deleted")
	}
}

func (r *rig) sweeping(s *meanwhile, c dispatch.Config) {
	s.Store, s.refused = r.pair.Store, make(chan bool, 1)
	c.Lease, c.SweepEvery, c.Logger = r.pair.Lease, time.Second, silent()
	r.join(dispatch.New(s, r.pair.Broker, c), "nothing")
}

func writtenWhileForgotten(r *rig) {
	for i := range int64(3) {
		r.write(deferred.ID([]string{"a", "b", "c"}[i]), func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, i+1) })
	}
	s := &meanwhile{space: driver.Records, before: func(w driver.Write) {
		r.write(deferred.ID(w.Name), func(rec *deferred.Record) { rec.Handled = true })
	}}
	r.sweeping(s, dispatch.Config{MaxRecords: 2})
	r.notDeleted(s)
}

func writtenWhileSwept(r *rig) {
	note := func() {
		w := driver.Write{Key: driver.Key{Space: driver.Notes, Name: "gone.note"}, Value: []byte(`{"value":1}`), Expect: driver.Unconditional}
		if err := r.pair.Store.Write(r.ctx, []driver.Write{w})[0].Err; err != nil {
			r.Error(err)
		}
	}
	note()
	s := &meanwhile{space: driver.Notes, before: func(driver.Write) { note() }}
	r.sweeping(s, dispatch.Config{KeepSucceeded: time.Second})
	r.notDeleted(s)
}

// The annotations of a record are forgotten with it; those of another deferred under
// its id, which comes right then, are not.
func notedWhileForgotten(r *rig) {
	note := func(key string) {
		if err := r.queue.Open("a").Annotate(r.ctx, key, 1); err != nil {
			r.Error(err)
		}
	}
	for i := range int64(3) {
		r.write(deferred.ID([]string{"a", "b", "c"}[i]), func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, i+1) })
	}
	note("old")
	s := &meanwhile{space: driver.Notes, before: func(driver.Write) {}, after: func() {
		r.write("a", func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, 4) })
		note("new")
	}}
	r.sweeping(s, dispatch.Config{MaxRecords: 2})
	if <-s.refused {
		r.Error("the old annotation was not deleted")
	}
	for key, want := range map[string]bool{"old": false, "new": true} {
		entries, err := r.pair.Store.Read(r.ctx, []driver.Key{{Space: driver.Notes, Name: "a." + key}})
		if err != nil || entries[0].Revision != 0 != want {
			r.Errorf("the %s annotation is there: %t (%v)", key, !want, err)
		}
	}
}

// An entry that an earlier deferred has left is taken off by whoever reads the list.
// One that is listed under the id since then stays.
func listedWhileRead(r *rig) {
	key := driver.Key{Space: driver.Unhandled, Name: "a"}
	if err := r.pair.Store.Write(r.ctx, []driver.Write{{Key: key, Value: []byte(`{}`), Expect: driver.Unconditional}})[0].Err; err != nil {
		r.Fatal(err)
	}
	s := &meanwhile{Store: r.pair.Store, space: driver.Unhandled, refused: make(chan bool, 1), before: func(driver.Write) {
		r.submit(named("bad", "a"))
		r.perform(map[string]handler{"bad": fails("odd")})
		r.await("a", deferred.Failed)
		r.becomesEmpty(driver.Ready)
	}}
	for _, err := range r.over(s, r.pair.Broker).Unhandled(r.ctx) {
		if err != nil {
			r.Error(err)
		}
	}
	r.notDeleted(s)
}

// counted has something happen right after the records were first counted.
type counted struct {
	driver.Store
	after func()
	first sync.Once
}

func (s *counted) Count(ctx context.Context, space driver.Space) (int, error) {
	n, err := s.Store.Count(ctx, space)
	s.first.Do(s.after)
	return n, err
}

// No failure goes while there are successes enough, also of those that settle while
// the sweep finds out what may go.
func settledWhileCounted(r *rig) {
	settled := func(id deferred.ID, state deferred.State, second int64) {
		r.write(id, func(rec *deferred.Record) { settledRecord(rec, state, second) })
	}
	settled("failed", deferred.Failed, 1)
	settled("a", deferred.Succeeded, 2)
	settled("b", deferred.Succeeded, 3)
	s := &counted{Store: r.pair.Store, after: func() {
		settled("c", deferred.Succeeded, 4)
		settled("d", deferred.Succeeded, 5)
	}}
	r.join(dispatch.New(s, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, MaxRecords: 2, SweepEvery: time.Second, Logger: silent()}), "nothing")
	gone := []deferred.ID{"a", "b", "c"}
	drivertest.Eventually(r.T, "the oldest that succeeded are gone", func() bool {
		return !slices.ContainsFunc(gone, func(id deferred.ID) bool { return r.record(id).ID != "" })
	})
	for _, id := range []deferred.ID{"failed", "d"} {
		if r.record(id).ID == "" {
			r.Errorf("%s is gone", id)
		}
	}
}
