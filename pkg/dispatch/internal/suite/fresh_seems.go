package suite

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

func seemsDead(r *rig) {
	w := r.takes(r.pair.Store)
	a := w.claims(greeting("a"))[0]
	w.feed.Want(w.lane, 0) // so that the second message goes to the other one
	still := r.standstill()
	owner := r.record("a").Token.Worker
	still.tell(driver.Entry{Key: driver.Key{Space: driver.Workers, Name: owner}})
	other := r.takes(still)
	r.put(again("a"))
	other.idle(r.beyond())
	w.succeed(a)
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 || rec.Counts.Deaths != 0 {
		r.Errorf("attempt %d after %d deaths, want the first one", rec.Attempt, rec.Counts.Deaths)
	}
}

// A worker claimed the call before and gave it back: the next attempt of another one
// has the same number.
func seemsLost(r *rig) {
	still := r.standstill()
	first := r.takes(r.pair.Store)
	r.submit(greeting("a"))
	o := first.offer()
	if _, err := first.feed.Claim(r.ctx, o); err != nil {
		r.Fatal(err)
	}
	still.stop("a")
	first.feed.Want(first.lane, 0)
	first.feed.Decline(o, "not here")
	w := r.takes(still)
	a := w.claim()
	told := make(chan error, 1)
	a.OnRevoke(func(err error) { told <- err })
	r.pass(time.Second)
	select {
	case err := <-told:
		r.Errorf("the attempt in force was told %v", err)
	default:
	}
	w.succeed(a)
	r.await("a", deferred.Succeeded)
}

func checkpointIsTheLatest(r *rig) {
	still := r.standstill()
	still.tell(driver.Entry{Key: drivertest.NoteKey("a." + deferred.CheckpointKey)})
	w := r.join(r.over(still, r.pair.Broker), "greet")
	a := w.claims(greeting("a"))[0]
	if err := deferred.SaveCheckpoint(deferred.WithAttempt(r.ctx, a), 7); err != nil {
		r.Fatal(err)
	}
	w.fail(a, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	a = w.claim()
	if a.Number != 2 || string(a.Checkpoint) != `7` {
		r.Errorf("attempt %d has checkpoint %q, want that of the first", a.Number, a.Checkpoint)
	}
	w.succeed(a)
}

func seemsHandled(r *rig) {
	still := r.standstill()
	w := r.join(r.queue, "greet")
	a := w.claims(named("greet", "a"))[0]
	still.stop("a")
	w.fail(a, kindError("odd"))
	r.becomesEmpty(driver.Ready)
	for _, err := range r.over(still, r.pair.Broker).Unhandled(r.ctx) {
		if err != nil {
			r.Fatal(err)
		}
	}
	if !r.isListed("a") {
		r.Error("the failure is taken off the list before it is seen")
	}
}

func seemsGone(r *rig) {
	still := r.standstill()
	still.stop("a")
	w := r.takes(r.pair.Store)
	a := w.claims(greeting("a"))[0]
	if err := a.Ledger.Annotate(r.ctx, "a", deferred.Note{Key: "progress", Value: []byte(`1`)}); err != nil {
		r.Fatal(err)
	}
	w.fail(a, deferred.RetryAfter(time.Hour, errors.New("again")))
	if err := w.feed.Leave(r.ctx); err != nil { // one of the workers sweeps, and it is to be the other one
		r.Fatal(err)
	}
	r.hands = nil
	r.join(dispatch.New(still, r.pair.Broker, dispatch.Config{
		Lease: r.pair.Lease, KeepSucceeded: time.Second, SweepEvery: time.Second, Logger: silent(),
	}), "nothing")
	r.pass(20 * time.Second)
	key := drivertest.NoteKey("a.progress")
	if entries, err := r.pair.Store.Read(r.ctx, []driver.Key{key}); err != nil || entries[0].Revision == 0 {
		r.Errorf("the annotation of what runs is gone (%v)", err)
	}
}
