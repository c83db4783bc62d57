package suite

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// The cases here give commands as one does who dies then: by the message alone.

func heldBy(rec *deferred.Record) bool { return rec.State == deferred.Held }

// What has not started is held: what nobody has met, what stands in its lane, and
// what is to be tried again.
func heldForTheDead(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("scheduled"))
	w.fail(w.claim(), deferred.RetryAfter(time.Hour, errors.New("not yet")))
	for _, id := range []deferred.ID{"scheduled", "unmet"} {
		r.command("hold", id, "")
		r.comesToBe(id, "is held", heldBy)
	}
	a := greeting("unmet")
	r.submit(a)
	w.idle(time.Second)
	for range 2 {
		r.command("release", "unmet", "")
	}
	w.succeed(w.claim())
	r.await("unmet", deferred.Succeeded)
	if rec := r.record("scheduled"); rec.State != deferred.Held || rec.Attempt != 1 {
		r.Errorf("the other one is %s, after %d attempts", rec.State, rec.Attempt)
	}
}

// Of a hold and a release the later message counts, though the earlier one could
// not be carried out before.
func laterWordCounts(r *rig) {
	for _, c := range []struct {
		first, then string
		want        deferred.State
	}{{"hold", "release", deferred.Pending}, {"release", "hold", deferred.Held}} {
		id := deferred.ID(c.first + "-first")
		seq := func(verb string) uint64 {
			s := r.pair.Broker.Put(r.ctx, []driver.Message{{Route: driver.Commands, Verb: verb, ID: id}})[0]
			if s.Err != nil {
				r.Fatal(s.Err)
			}
			return s.Seq
		}
		first := seq(c.first)
		var free atomic.Bool
		w := r.join(r.tap(tapped{write: func(w driver.Write) error {
			var rec deferred.Record
			if w.Space == driver.Records && rec.UnmarshalJSON(w.Value) == nil && rec.Obeyed == first && !free.Load() {
				return errOnce
			}
			return nil
		}}), "nothing")
		then := seq(c.then)
		r.comesToBe(id, "obeys the later word", func(rec *deferred.Record) bool { return rec.Obeyed == then })
		free.Store(true)
		r.becomesEmpty(driver.Commands)
		if rec := r.record(id); rec.State != c.want || rec.Obeyed != then {
			r.Errorf("after a %s and a %s it is %s", c.first, c.then, rec.State)
		}
		w.leaveNow()
	}
}

// A word about a deadline that has not passed is none: it may be old, and the
// deadline have been another one.
func untrueExpiry(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.Deadline = time.Now().Add(time.Hour)
	r.submit(c)
	a := w.claim()
	r.command("expire", "a", "")
	r.command("wake", "a", "")
	r.becomesEmpty(driver.Commands)
	if rec := r.record("a"); rec.State != deferred.Running {
		r.Errorf("it is %s", rec.State)
	}
	w.succeed(a)
	r.await("a", deferred.Succeeded)
}

// A word for a promise waits for it, also when the promise has a record because
// something waits for it.
func earlyWordForAStub(r *rig) {
	var met atomic.Bool
	r.queue = r.tap(tapped{settled: func(s driver.Settlement) {
		if s.Verb == "resolve" {
			met.Store(true)
		}
	}})
	r.perform(nil)
	r.submit(joinOf("join", deferred.JoinAll, "gate"))
	r.comesToBe("gate", "is waited for", func(rec *deferred.Record) bool { return rec.Attached("join") != nil })
	r.command("resolve", "gate", `{"token":"`+string(gateToken)+`","value":1}`)
	drivertest.Eventually(r.T, "the word is met before the promise", met.Load)
	r.submit(gate)
	r.gives("join", `[1]`)
	if n := r.pending(driver.Aside); n > 0 {
		r.Errorf("%d messages were set aside", n)
	}
}

// Of members that are added those count that are new, and not the join itself.
func addedMembers(r *rig) {
	r.perform(nil)
	r.openGate()
	r.submit(joinOf("join", deferred.JoinAll, "gate"))
	r.comesToBe("join", "waits", waiting)
	r.command("add", "join", `{"members":["gate","join"]}`)
	r.becomesEmpty(driver.Commands)
	r.command("add", "join", `{"members":["other","gate","join","another"]}`)
	r.comesToBe("another", "is waited for", func(rec *deferred.Record) bool { return rec.Attached("join") != nil })
	r.becomesEmpty(driver.Commands)
	if on := r.record("join").Waits.On; !slices.Equal(on, []deferred.ID{"gate", "other", "another"}) {
		r.Errorf("it waits for %v", on)
	}
	for _, id := range []deferred.ID{"other", "another"} {
		if err := r.queue.Open("join").AddMembers(r.ctx, r.queue.Open("join"), r.queue.Open(id)); err != nil {
			r.Error(err)
		}
	}
}

// Only a join takes members: an adopter, a callback and a promise wait for what they
// wait for.
func addedToNoJoin(r *rig) {
	r.perform(map[string]handler{"one": func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("gate")) }})
	r.openGate()
	r.submit(callbackOf("callback", "gate"), named("one", "adopter"))
	ids := []deferred.ID{"callback", "adopter", "gate"}
	for i, id := range ids {
		r.comesToBe(id, "waits", waiting)
		var state *deferred.StateError
		if err := r.queue.Open(id).AddMembers(r.ctx, r.queue.Open("other")); !errors.As(err, &state) {
			r.Errorf("%s was answered with %v", id, err)
		}
		r.command("add", id, `{"members":["other"]}`)
		drivertest.Eventually(r.T, "the command is set aside", func() bool { return r.pending(driver.Aside) == i+1 })
		if rec := r.record(id); rec.Waits != nil && len(rec.Waits.On) != 1 {
			r.Errorf("%s waits for %v", id, rec.Waits.On)
		}
	}
}
