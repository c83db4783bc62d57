package suite

import (
	"errors"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// Of more settled records than are kept, the oldest that succeeded go with their
// annotations, and neither what has failed nor what somebody waits for.
func ruleBound(r *rig) {
	q := dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, MaxRecords: 3, SweepEvery: time.Second, Logger: silent()})
	r.write("failed", func(rec *deferred.Record) { settledRecord(rec, deferred.Failed, 1) })
	r.write("wanted", func(rec *deferred.Record) {
		settledRecord(rec, deferred.Succeeded, 2)
		rec.Callbacks = []deferred.RecordedCallback{{On: deferred.OnBoth, ID: "join", Waiter: true, Fired: true}}
	})
	r.write("oldest", func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, 3) })
	r.write("next", func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, 4) })
	r.write("newest", func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, 5) })
	for _, id := range []deferred.ID{"oldest", "next"} {
		if err := q.Open(id).Annotate(r.ctx, "note", 1); err != nil {
			r.Fatal(err)
		}
	}
	r.join(q, "greet")
	drivertest.Eventually(r.T, "the two oldest records are gone", func() bool {
		for _, id := range []deferred.ID{"oldest", "next"} {
			if _, err := q.Record(r.ctx, id); !errors.Is(err, deferred.ErrNotFound) {
				return false
			}
		}
		return true
	})
	for _, id := range []deferred.ID{"failed", "wanted", "newest"} {
		if _, err := q.Record(r.ctx, id); err != nil {
			r.Errorf("%s: %v", id, err)
		}
	}
	for e, err := range r.pair.Store.List(r.ctx, driver.Query{Space: driver.Notes}) {
		r.Errorf("the annotation %s outlives its record, %v", e.Name, err)
	}
}

// The annotations of a deferred are deleted once its record is gone.
func ruleAnnotations(r *rig) {
	q := dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{
		Lease: r.pair.Lease, KeepSucceeded: time.Second, SweepEvery: time.Second, Logger: silent(),
	})
	w := r.join(q, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	for _, d := range []*deferred.Deferred{deferred.Open(a.Ledger, "a"), r.queue.Open("a")} {
		if err := d.Annotate(r.ctx, "k", 1); err != nil {
			r.Fatal(err)
		}
	}
	w.succeed(a)
	drivertest.Eventually(r.T, "the record and its annotations are gone", func() bool {
		for _, err := range r.pair.Store.List(r.ctx, driver.Query{Space: driver.Notes}) {
			if err != nil {
				r.Error(err)
			}
			return false
		}
		_, err := q.Record(r.ctx, "a")
		return errors.Is(err, deferred.ErrNotFound)
	})
}

// What is open is no reason to forget more of what has settled.
func ruleBoundOfSettled(r *rig) {
	q := dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, MaxRecords: 3, SweepEvery: time.Second, Logger: silent()})
	for i, id := range []deferred.ID{"first", "second", "third", "fourth"} {
		r.write("open-"+id, func(rec *deferred.Record) { rec.State, rec.Seen = deferred.Pending, true })
		r.write(id, func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, int64(i+1)) })
	}
	r.join(q, "greet")
	drivertest.Eventually(r.T, "the oldest record is gone", func() bool { return r.record("first").ID == "" })
	for _, id := range []deferred.ID{"second", "third", "fourth", "open-first"} {
		if r.record(id).ID == "" {
			r.Errorf("%s is gone, and one was too many", id)
		}
	}
}

// When too few have succeeded, the oldest failures go that nothing needs any more.
func ruleBoundOfFailures(r *rig) {
	q := dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, MaxRecords: 3, SweepEvery: time.Second, Logger: silent()})
	for i, id := range []deferred.ID{"wanted", "first", "second", "third", "cancelled"} {
		r.write(id, func(rec *deferred.Record) {
			settledRecord(rec, deferred.Failed, int64(i+1))
			if id == "wanted" {
				rec.Callbacks = []deferred.RecordedCallback{{On: deferred.OnBoth, ID: "join", Waiter: true, Fired: true}}
			}
		})
	}
	r.write("early", func(rec *deferred.Record) { // it may be what keeps a call from being performed
		settledRecord(rec, deferred.Cancelled, 6)
		rec.Seen = false
	})
	r.write("good", func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, 7) })
	r.join(q, "greet")
	gone := []deferred.ID{"good", "first", "second", "third"}
	drivertest.Eventually(r.T, "the one that succeeded is gone, and the oldest failures", func() bool {
		return !slices.ContainsFunc(gone, func(id deferred.ID) bool { return r.record(id).ID != "" })
	})
	for _, id := range []deferred.ID{"wanted", "early", "cancelled"} {
		if r.record(id).ID == "" {
			r.Errorf("%s is gone", id)
		}
	}
}

// What was said of a call that nobody has met holds for a year, and not for ever.
func ruleUnmet(r *rig) {
	spy := &ttls{Store: r.pair.Store, last: map[string]time.Duration{}}
	r.queue = r.over(spy, r.pair.Broker)
	r.join(r.queue, "greet")
	r.joins("j", deferred.JoinAll, false, "member")
	r.waits("j", "member")
	r.say(deferred.Cancel, "never", "")
	r.say(deferred.Hold, "held", "")
	r.becomesEmpty(driver.Commands)
	if ttl := spy.of("member"); ttl != 0 {
		r.Errorf("what a join waits for may be forgotten in %v", ttl)
	}
	r.cancel("j", "")
	r.await("member", deferred.Cancelled)
	r.released("j")
	for _, id := range []deferred.ID{"never", "held", "member"} {
		if ttl := spy.of(id); ttl != 360*24*time.Hour {
			r.Errorf("%s is kept for %v", id, ttl)
		}
	}
	r.submit(greeting("held"), greeting("never"))
	r.releases("held")
	w := r.hands[0]
	w.succeed(w.claim())
	w.idle(time.Second)
	r.gives("held", `"done"`)
}

func settledRecord(rec *deferred.Record, s deferred.State, second int64) {
	rec.Name, rec.Queue, rec.Seen, rec.Settled = "greet", deferred.DefaultQueue, true, time.Unix(second, 0)
	rec.Settle(s, nil)
	if s != deferred.Succeeded {
		rec.Failure = &deferred.Failure{Kind: "error", Message: "no"}
	}
}
