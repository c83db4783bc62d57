package suite

import (
	"errors"
	"fmt"
	"strings"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// A world has three promises and a join of each mode on them.
type world struct {
	*rig
	name   string
	bad    int    // whose bits say which promises are rejected
	order  [3]int // in which they are settled
	tokens [3]deferred.PromiseToken
}

var modes = []deferred.JoinMode{deferred.JoinAll, deferred.JoinAllSettled, deferred.JoinAny, deferred.JoinRace}

// Whichever member settles when, as what: a join settles with the one that decides,
// not before, and though the others stay open for ever.
func decisiveMembers(r *rig) {
	r.perform(nil)
	for i, order := range [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		for bad := range 8 {
			w := world{rig: r, name: fmt.Sprintf("%d-%d", i, bad), bad: bad, order: order}
			w.open()
			w.settle()
		}
	}
}

func (w *world) member(i int) deferred.ID { return deferred.ID(fmt.Sprintf("p%d-%s", i, w.name)) }

func (w *world) join(m deferred.JoinMode) deferred.ID { return deferred.ID(string(m) + "-" + w.name) }

// open submits the promises, and then the joins: these wait to be woken, and have
// no reason to look by themselves.
func (w *world) open() {
	for i := range w.tokens {
		var c deferred.Call
		c, w.tokens[i] = deferred.NewPromise(w.member(i), "promise")
		w.submit(c)
	}
	for i := range w.tokens {
		w.comesToBe(w.member(i), "waits", waiting)
	}
	for _, m := range modes {
		w.submit(joinOf(w.join(m), m, w.member(0), w.member(1), w.member(2)))
	}
	w.becomesEmpty(driver.Later)
	w.becomesEmpty(driver.Delay) // no alarm is needed for members that are seen, but one for a second look
}

func (w *world) settle() {
	good, bad := false, false
	for n, i := range w.order {
		for _, m := range modes {
			if rec := w.record(w.join(m)); rec.State != deferred.Waiting && !w.decided(m, n, good, bad) {
				w.Errorf("%s is %s when %d members are", rec.ID, rec.State, n)
			}
		}
		var err error
		if w.bad>>i&1 == 1 {
			bad = true
			err = deferred.RejectPromise(w.ctx, w.queue, w.tokens[i], errors.New("no"))
		} else {
			good = true
			err = deferred.ResolvePromise(w.ctx, w.queue, w.tokens[i], i)
		}
		if err != nil {
			w.Fatal(err)
		}
		for _, m := range modes {
			if w.decided(m, n+1, good, bad) {
				w.check(m, w.outcomeOf(w.join(m)))
			}
		}
	}
}

// decided: with so many members settled, some of them well or badly, the join is.
func (w *world) decided(m deferred.JoinMode, n int, good, bad bool) bool {
	switch m {
	case deferred.JoinAll:
		return bad || n == 3
	case deferred.JoinAny:
		return good || n == 3
	case deferred.JoinRace:
		return n > 0
	}
	return n == 3
}

func (w *world) outcomeOf(id deferred.ID) deferred.Record {
	w.Helper()
	rec, err := w.queue.Await(w.ctx, id)
	if err != nil {
		w.Fatalf("%s, with %03b rejected in the order %v: %v", id, w.bad, w.order, err)
	}
	return rec
}

// check compares the outcome, and who decided it.
func (w *world) check(m deferred.JoinMode, rec deferred.Record) {
	w.Helper()
	var good, bad []int // in the order of their settling
	for _, i := range w.order {
		if w.bad>>i&1 == 1 {
			bad = append(bad, i)
		} else {
			good = append(good, i)
		}
	}
	winner, want := -1, ""
	switch {
	case m == deferred.JoinAll && len(bad) > 0:
		winner, want = bad[0], "failed rejected"
	case m == deferred.JoinAll:
		want = "succeeded [0,1,2]"
	case m == deferred.JoinAny && len(good) > 0:
		winner = good[0]
		want = fmt.Sprintf("succeeded %d", winner)
	case m == deferred.JoinAny:
		want = "failed " + deferred.KindAllFailed
	case m == deferred.JoinRace && w.bad>>w.order[0]&1 == 1:
		winner, want = w.order[0], "failed rejected"
	case m == deferred.JoinRace:
		winner = w.order[0]
		want = fmt.Sprintf("succeeded %d", winner)
	default:
		w.checkAll(&rec)
		return
	}
	if got := outcome(&rec); got != want {
		w.Errorf("%s is %s, want %s", rec.ID, got, want)
	}
	if winner >= 0 && rec.Waits.Winner != w.member(winner) || winner < 0 && rec.Waits.Winner != "" {
		w.Errorf("%s was decided by %q, want %d", rec.ID, rec.Waits.Winner, winner)
	}
	if m == deferred.JoinAll && winner >= 0 && rec.Failure.Member != w.member(winner) {
		w.Errorf("the failure of %s is of %q, want %d", rec.ID, rec.Failure.Member, winner)
	}
	if m == deferred.JoinAny && winner < 0 && len(rec.Failure.Chain) != 3 {
		w.Errorf("the failure of %s has %d causes, want 3", rec.ID, len(rec.Failure.Chain))
	}
}

// checkAll: the outcomes stand in the order of the members, each as it is.
func (w *world) checkAll(rec *deferred.Record) {
	w.Helper()
	var want []string
	for i := range 3 {
		s := fmt.Sprintf(`{"id":"%s","state":"succeeded","result":%d}`, w.member(i), i)
		if w.bad>>i&1 == 1 {
			s = fmt.Sprintf(`{"id":"%s","state":"failed","failure":{"kind":"rejected","message":"no"}}`, w.member(i))
		}
		want = append(want, s)
	}
	if got, want := outcome(rec), "succeeded ["+strings.Join(want, ",")+"]"; got != want {
		w.Errorf("%s is %s, want %s", rec.ID, got, want)
	}
}
