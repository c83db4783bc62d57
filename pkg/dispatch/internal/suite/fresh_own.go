package suite

import (
	"context"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// What a worker or a client has written itself, or had a conflict with.
var freshOwnCases = []rigCase{
	{"commit_whose_answer_was_lost_is_read_back_from_the_leader", commitReadBack},
	{"claim_whose_answer_was_lost_is_not_taken_for_an_earlier_one", claimReadBack},
	{"conflict_of_a_claim_is_looked_at_once", conflictOfAClaim},
	{"mark_whose_answer_was_lost_is_written_once_more_at_most", markReadBack},
	{"cancel_that_conflicts_ends_in_one_more_look", conflictOfACancel},
	{"cancel_that_may_not_ask_the_leader_waits_for_a_worker", leaderIsNotForAll},
	{"malformed_message_settles_what_seems_not_to_be_there", malformedBehind},
}

func commitReadBack(r *rig) {
	still := r.standstill()
	still.stop("a")
	f := drivertest.NewFaults(still, r.pair.Broker, 2, drivertest.LoseStored)
	w := r.join(r.over(f.Store(), f.Broker()), "greet")
	w.succeed(w.claims(greeting("a"))[0]) // an error of Settle fails the test
	r.await("a", deferred.Succeeded)
}

// A worker claims a call, takes the claim back, and claims it again: with the same
// token. The second claim is not stored, and the replica tells of the first.
func claimReadBack(r *rig) {
	still := r.standstill()
	var first driver.Entry
	var writes atomic.Int32 // 1 the claim, 2 its taking back, 3 the claim
	w := r.join(r.over(tappedStore{still, tapped{write: func(w driver.Write) error {
		if w.Space != driver.Records || writes.Add(1) != 3 {
			return nil
		}
		still.tell(first)
		return driver.ErrUnknown
	}}}, r.pair.Broker), "greet")
	r.submit(greeting("a"))
	o := w.offer()
	if _, err := w.feed.Claim(r.ctx, o); err != nil {
		r.Fatal(err)
	}
	entries, err := r.pair.Store.Read(r.ctx, []driver.Key{drivertest.RecordKey("a")})
	if err != nil {
		r.Fatal(err)
	}
	first = entries[0]
	w.feed.Decline(o, "not now")
	a := w.claim()
	if rec := r.record("a"); rec.State != deferred.Running || rec.Attempt != 1 {
		r.Errorf("the call is performed and its record is %s, attempt %d", rec.State, rec.Attempt)
	}
	if writes.Load() < 3 {
		r.Fatalf("%d writes: this case says nothing", writes.Load())
	}
	w.succeed(a)
	r.await("a", deferred.Succeeded)
}

func conflictOfAClaim(r *rig) {
	still := r.standstill()
	still.stop("a")
	r.write("a", func(rec *deferred.Record) { rec.State = deferred.Pending })
	w := r.takes(still)
	w.succeed(w.claims(greeting("a"))[0])
	r.await("a", deferred.Succeeded)
}

func markReadBack(r *rig) {
	still := r.standstill()
	// Operations of the worker: 1 the claim, 2 the commit, 3 the callback, 4 the mark.
	f := drivertest.NewFaults(still, r.pair.Broker, 4, drivertest.LoseStored)
	w := r.join(r.over(f.Store(), f.Broker()), "greet")
	c := greeting("p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "nobody"}}}
	a := w.claims(c)[0]
	still.stop("p")
	w.succeed(a)
	r.becomesEmpty(driver.Later)
	if n := r.pending(driver.Ready); n != 1 {
		r.Errorf("%d messages are left, want one of the callback", n)
	}
	if !r.record("p").Callbacks[0].Fired {
		r.Error("the callback is not marked")
	}
}

func conflictOfACancel(r *rig) {
	still := r.standstill()
	still.stop("a")
	w := r.takes(r.pair.Store)
	w.claims(greeting("a"))
	if err := r.over(still, r.pair.Broker).Open("a").Cancel(r.ctx, "no"); err != nil {
		r.Error(err)
	}
	r.await("a", deferred.Cancelled)
}

// leaderless may not ask the leader.
type leaderless struct{ driver.Store }

func (leaderless) ReadLatest(context.Context, []driver.Key) ([]driver.Entry, error) {
	return nil, errOnce
}

func leaderIsNotForAll(r *rig) {
	replica := &behind{Store: r.pair.Store, id: "a"} // in the end it knows of the answer
	r.join(r.queue, "nothing")
	r.takes(replica).claims(greeting("a"))
	if err := r.over(leaderless{replica}, r.pair.Broker).Open("a").Cancel(r.ctx, "no"); err != nil {
		r.Error(err)
	}
	r.await("a", deferred.Cancelled)
}

func malformedBehind(r *rig) {
	still := r.standstill()
	still.stop("m")
	r.write("m", func(rec *deferred.Record) { rec.State = deferred.Pending })
	r.join(r.over(still, r.pair.Broker), "greet")
	r.putMalformed("m")
	r.failsWith("m", deferred.KindMalformed)
}
