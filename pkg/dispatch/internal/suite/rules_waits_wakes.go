package suite

import (
	"errors"
	"strconv"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

// Of many members one wakes the join by what does not decide it: the first that is
// open. Otherwise a join of thousands would be looked at thousands of times.
func fewWakes(r *rig) {
	var wakes atomic.Int64
	r.queue = r.tap(tapped{stored: func(m driver.Message) {
		if m.Verb == "wake" {
			wakes.Add(1)
		}
	}})
	r.perform(nil)
	r.write("before", func(rec *deferred.Record) {
		settledRecord(rec, deferred.Succeeded, 1)
		rec.Result = deferred.JSON([]byte("0"))
	})
	for mode, reject := range map[deferred.JoinMode]bool{deferred.JoinAll: false, deferred.JoinAny: true, deferred.JoinAllSettled: true} {
		id := deferred.ID(mode)
		members := []deferred.ID{id + "-0", id + "-1", id + "-2"}
		tokens := map[deferred.ID]deferred.PromiseToken{}
		for _, m := range members {
			c, token := deferred.NewPromise(m, "promise")
			tokens[m] = token
			r.submit(c)
			r.comesToBe(m, "waits", waiting)
		}
		if mode != deferred.JoinAny { // which it would decide
			members = append([]deferred.ID{"before"}, members...)
		}
		r.submit(joinOf(id, mode, members...))
		r.becomesEmpty(driver.Later)
		before := r.record("before")
		if e := before.Attached(id); mode != deferred.JoinAny && (e == nil || !e.Fired || e.Settled) {
			r.Errorf("%s is noted as %+v with a member that had settled", id, e)
		}
		wakes.Store(0)
		for n, m := range []deferred.ID{id + "-2", id + "-1", id + "-0"} {
			var err error
			if reject {
				err = deferred.RejectPromise(r.ctx, r.queue, tokens[m], errors.New("no"))
			} else {
				err = deferred.ResolvePromise(r.ctx, r.queue, tokens[m], 1)
			}
			if err != nil {
				r.Fatal(err)
			}
			r.becomesEmpty(driver.Commands)
			if want := int64(n / 2); wakes.Load() != want {
				r.Errorf("%s was woken %d times by %d of 3 members, want %d", id, wakes.Load(), n+1, want)
			}
		}
		if _, err := r.queue.Await(r.ctx, id); err != nil {
			r.Fatal(err)
		}
	}
}

// A join of many that is woken goes on from where it stands, and does not look at
// all of them.
func wideReadsFew(r *rig) {
	counting := &countingStore{Store: r.pair.Store}
	r.join(r.over(counting, r.pair.Broker), "nothing")
	r.openGate()
	members := []deferred.ID{"gate"}
	for i := range 200 {
		id := deferred.ID("m-" + strconv.Itoa(i))
		members = append(members, id)
		r.write(id, func(rec *deferred.Record) { rec.State, rec.Seen, rec.Name = deferred.Pending, true, "nobody" })
	}
	r.submit(joinOf("join", deferred.JoinAll, members...))
	r.becomesEmpty(driver.Later)
	before := counting.reads.Load()
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 1); err != nil {
		r.Fatal(err)
	}
	r.comesToBe("m-0", "is the one that wakes it", func(rec *deferred.Record) bool {
		e := rec.Attached("join")
		return e != nil && e.On == deferred.OnBoth
	})
	r.becomesEmpty(driver.Commands)
	if n := counting.reads.Load() - before; n > 50 {
		r.Errorf("%d records were read for one wake of a join of %d", n, len(members))
	}
}

// The settled record goes while what it owes is done: an operator has deleted it.
// There is nothing left to mark, and no step is done twice for want of its mark.
func recordGoesMeanwhile(r *rig) {
	var fired atomic.Int64
	key := driver.Key{Space: driver.Records, Name: "a"}
	q := r.tap(tapped{
		write: func(w driver.Write) error {
			var rec deferred.Record
			isRecord := w.Key == key && rec.UnmarshalJSON(w.Value) == nil
			if !isRecord || !rec.State.Settled() || rec.Unfired() {
				return nil
			}
			return r.pair.Store.Write(r.ctx, []driver.Write{{Key: key, Expect: driver.Unconditional, Delete: true}})[0].Err
		},
		put: func(m driver.Message) error {
			if m.ID == child("a", 0) && fired.Add(1) == 10 {
				return errOnce // it would go on for ever
			}
			return nil
		},
	})
	c := greeting("a")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	r.submit(c)
	w := r.join(q, "greet")
	a := w.claim()
	w.feed.Want(w.lane, 0) // the callback is not to be met: it would make the record anew
	w.succeed(a)
	if n := fired.Load(); n != 1 {
		r.Errorf("the callback was fired %d times", n)
	}
	drivertest.Eventually(r.T, "no message of the call is left", func() bool { // the acknowledgement is on its way
		found, err := r.pair.Broker.Find(r.ctx, "a")
		return err == nil && len(found) == 0
	})
}

// The same while a record says that it holds its source no more. What made it does
// not make it again.
func holderGoesMeanwhile(r *rig) {
	r.inline = 1
	key := driver.Key{Space: driver.Records, Name: string(child("p", 0))}
	var gone atomic.Bool
	r.queue = r.tap(tapped{write: func(w driver.Write) error {
		var rec deferred.Record
		isRecord := w.Key == key && rec.UnmarshalJSON(w.Value) == nil
		if !isRecord || rec.ResultOf == "" || rec.Holds || !gone.CompareAndSwap(false, true) {
			return nil
		}
		if err := r.pair.Store.Write(r.ctx, []driver.Write{{Key: key, Expect: driver.Unconditional, Delete: true}})[0].Err; err != nil {
			return err
		}
		return driver.ErrConflict
	}})
	p := named("greet", "p")
	p.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{Name: "mend"}}}
	r.submit(p)
	r.perform(map[string]handler{"greet": succeeds(`"large"`)})
	r.await("p", deferred.Succeeded)
	r.becomesEmpty(driver.Ready)
	r.becomesEmpty(driver.Later)
	if rec := r.record(child("p", 0)); !gone.Load() || rec.ID != "" {
		r.Errorf("the record went: %t; it is %s now", gone.Load(), rec.State)
	}
}

// A callback that has settled, and has let go of its parent, does not hang itself on
// it again when its message comes twice: nobody would take it off.
func settledCallbackStaysOff(r *rig) {
	r.write("parent", func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, 1) })
	r.write("callback", func(rec *deferred.Record) {
		settledRecord(rec, deferred.Succeeded, 2)
		rec.Name = "greet"
		rec.Parent = &deferred.RecordedParent{ID: "parent", On: deferred.OnSuccess, Released: true}
	})
	m := again("callback")
	m.Header[wire.HeaderAfter], m.Header[wire.HeaderOn] = "parent", "success"
	r.put(m)
	r.perform(map[string]handler{"greet": succeeds(`"done"`)})
	r.becomesEmpty(driver.Ready)
	if n := len(r.record("parent").Callbacks); n > 0 {
		r.Errorf("%d entries hang on the parent", n)
	}
}
