package dispatchtest

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
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
	eventually(r.T, "the two oldest records are gone", func() bool {
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
	for e, err := range r.pair.Store.List(r.ctx, dispatch.Query{Space: dispatch.Notes}) {
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
	eventually(r.T, "the record and its annotations are gone", func() bool {
		for _, err := range r.pair.Store.List(r.ctx, dispatch.Query{Space: dispatch.Notes}) {
			if err != nil {
				r.Error(err)
			}
			return false
		}
		_, err := q.Record(r.ctx, "a")
		return errors.Is(err, deferred.ErrNotFound)
	})
}

func settledRecord(rec *deferred.Record, s deferred.State, second int64) {
	rec.Name, rec.Queue, rec.Seen, rec.Settled = "greet", deferred.DefaultQueue, true, time.Unix(second, 0)
	rec.Settle(s, nil)
	if s != deferred.Succeeded {
		rec.Failure = &deferred.Failure{Kind: "error", Message: "no"}
	}
}
