package suite

import (
	"fmt"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// numbered gives ids of their own to a try.
func numbered(n int) func(s string) deferred.ID {
	return func(s string) deferred.ID { return deferred.ID(fmt.Sprint(s, "-", n)) }
}

// settledSource is a call with a large result that nobody has in the hand any more.
func (r *rig) settledSource(id deferred.ID) {
	w := r.join(r.queue, "unused")
	r.drive(w, map[string]handler{"greet": succeeds(sizable)})
	r.submit(brief("greet", id))
	r.await(id, deferred.Succeeded)
	r.becomesEmpty(driver.Ready)
	w.leaveNow()
}

// hungOn is a callback that comes when there is no worker for it, and is performed
// long after.
func hungOn(id, parent deferred.ID) deferred.Call {
	c := brief("follow", id)
	c.After = &deferred.After{Parent: parent, On: deferred.OnSuccess}
	c.Delay = 2 * long
	return c
}

// givenItsInput performs the callback.
func (r *rig) givenItsInput(what string) *hand {
	r.Helper()
	w := r.join(r.queue, "follow")
	a := w.claim()
	if a.Parent == nil || string(a.Parent.Outcome.Result.Data) != sizable {
		r.Errorf("%s: it was given %v", what, a.Parent)
	}
	w.succeed(a)
	r.await(a.ID, deferred.Succeeded)
	return w
}

// The callback hangs itself on a record that has let go of its source, and has not
// said so yet.
func hungWhileLettingGo(r *rig) {
	r.settledSource("p")
	var hung atomic.Bool
	q := r.tap(tapped{write: func(w driver.Write) error {
		var rec deferred.Record
		isInner := w.Name == "inner" && rec.UnmarshalJSON(w.Value) == nil
		if !isInner || !rec.State.Settled() || rec.Holds || !hung.CompareAndSwap(false, true) {
			return nil
		}
		r.submit(hungOn("c", "inner"))
		r.join(r.queue, "nothing")
		r.comesToBe("inner", "is hung on", func(rec *deferred.Record) bool { return rec.Attached("c") != nil })
		return nil
	}})
	j := joinOf("inner", deferred.JoinRace, "p")
	j.Keep = long
	r.join(q, "nothing")
	r.submit(j)
	r.await("inner", deferred.Succeeded)
	r.givenItsInput("while it let go")
	if !hung.Load() {
		r.Error("nothing hung itself on it: this case says nothing")
	}
}

// The callback hangs itself on a record whose worker has died at an operation, in
// the middle of letting go of the source perhaps.
func hungHalfWay(r *rig) {
	for at, over := 1, false; !over; at++ {
		id := numbered(at)
		r.settledSource(id("p"))
		j := joinOf(id("inner"), deferred.JoinRace, id("p"))
		j.Keep = long
		r.submit(j)
		over = r.meetAndDie(at, drivertest.KillBefore)
		r.submit(hungOn(id("c"), id("inner")))
		w := r.givenItsInput(fmt.Sprint("after operation ", at))
		r.pass(5 * deferred.MinKeep)
		r.forgotten(id("p"), id("inner"), id("c"))
		w.leaveNow()
	}
}

// A join of many notes that it is attached to all, once it is, whoever dies: so its
// members stay.
func wideJoinWhoeverDies(r *rig) {
	for at, over := 1, false; !over; at++ {
		id := numbered(at)
		gate, token := deferred.NewPromise(id("gate"), "approval")
		members := []deferred.ID{gate.ID}
		r.submit(gate)
		for i := range 12 {
			members = append(members, id(fmt.Sprint("m", i)))
			r.submit(brief("greet", members[i+1]))
		}
		r.submit(joinOf(id("j"), deferred.JoinAllSettled, members...))
		over = r.meetAndDie(at, drivertest.KillBefore)
		w := r.join(r.queue, "unused")
		r.drive(w, map[string]handler{"greet": succeeds(`1`)})
		r.pass(5 * deferred.MinKeep)
		r.kept(members...)
		if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); err != nil {
			r.Fatal(err)
		}
		r.await(id("j"), deferred.Succeeded)
		w.leaveNow()
	}
}
