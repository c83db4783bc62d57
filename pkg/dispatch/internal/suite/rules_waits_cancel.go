package suite

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// An adopter that expires needs the inner deferred no longer, and nor does anybody.
// A join that expires is only one who has waited.
func expiryPassesOn(r *rig) {
	r.submit(named("nobody", "inner"), named("nobody", "member"))
	r.perform(map[string]handler{"one": func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("inner")) }})
	r.submit(named("one", "expiring"), joinOf("join", deferred.JoinAll, "member"))
	for _, id := range []deferred.ID{"expiring", "join"} { // when it waits its time is over
		r.comesToBe(id, "waits", waiting)
		r.write(id, func(rec *deferred.Record) { rec.Deadline = time.Unix(1, 0) })
		r.put(driver.Message{Route: driver.Commands, Verb: "wake", ID: id})
	}
	r.await("expiring", deferred.Expired)
	if f := r.await("inner", deferred.Cancelled).Failure; !strings.Contains(f.Message, "expiring") {
		r.Errorf("the inner one was told %q", f.Message)
	}
	r.await("join", deferred.Expired)
	r.comesToBe("join", "lets go of its member", released)
	r.becomesEmpty(driver.Commands)
	if rec := r.record("member"); rec.State.Settled() {
		r.Errorf("the member of a join that has expired is %s", rec.State)
	}
}

// The losers of a race are cancelled: also one on which callbacks of its own hang,
// and one for which another has waited. The winner is not told.
func losersAreCancelled(r *rig) {
	var told atomic.Int64
	r.queue = r.tap(tapped{stored: func(m driver.Message) {
		if m.Verb == "cancel" && m.ID == "gate" {
			told.Add(1)
		}
	}})
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	loser, _ := deferred.NewPromise("with-errback", "promise")
	loser.Callbacks = withErrback("").Callbacks
	r.submit(loser, whistle)
	r.comesToBe("with-errback", "has been met", func(rec *deferred.Record) bool { return len(rec.Callbacks) == 1 })
	r.openGate()
	r.submit(joinOf("former", deferred.JoinAny, "once-wanted", "whistle"))
	r.becomesEmpty(driver.Later)
	if err := deferred.ResolvePromise(r.ctx, r.queue, whistleToken, 1); err != nil {
		r.Fatal(err)
	}
	r.comesToBe("once-wanted", "is wanted no longer", unwanted("former"))
	r.submit(greeting("once-wanted"))
	race := joinOf("race", deferred.JoinRace, "gate", "with-errback", "once-wanted")
	race.Join.CancelRest = true
	r.submit(race)
	r.becomesEmpty(driver.Later)
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 1); err != nil {
		r.Fatal(err)
	}
	r.gives("race", `1`)
	r.await("with-errback", deferred.Cancelled)
	r.await("once-wanted", deferred.Cancelled)
	r.gives(deferred.ChildID("with-errback", 0), `"mended"`)
	r.comesToBe("race", "lets go", released)
	if told.Load() > 0 {
		r.Error("the winner was told to be cancelled")
	}
}

// What was cancelled says by whom, and keeps its arguments, whoever wrote it: the
// one who asked, or a worker on behalf of one who died.
func cancelledRecord(r *rig) {
	r.perform(nil)
	body := []byte(`{"reason":"enough","by":"me"}`)
	for _, dead := range []bool{false, true} {
		suffix := deferred.ID(map[bool]string{false: "-asked", true: "-dead"}[dead])
		waits, parked := callbackOf("waits"+suffix, "nobody"), withErrback("parked"+suffix)
		parked.Delay = time.Hour
		r.submit(waits, parked, greeting("ready"+suffix))
		r.comesToBe(waits.ID, "waits", waiting)
		r.becomesEmpty(driver.Later)
		for _, id := range []deferred.ID{waits.ID, parked.ID, "ready" + suffix} {
			if dead {
				r.put(driver.Message{Route: driver.Commands, Verb: "cancel", ID: id, Body: body})
			} else if err := r.queue.Do(r.ctx, deferred.Command{Verb: deferred.Cancel, ID: id, Reason: "enough", By: "me"}); err != nil {
				r.Error(err)
			}
			rec := r.await(id, deferred.Cancelled)
			if rec.SettledBy != "me" || string(rec.Args.Data) != `"world"` || rec.Failure.Message != "enough" || rec.Settled.IsZero() {
				r.Errorf("%s was cancelled by %q, with the arguments %q, because %q, at %v", id, rec.SettledBy, rec.Args.Data, rec.Failure.Message, rec.Settled)
			}
		}
	}
}

// A call that is to be tried again has been met: its cancel takes nothing in but its
// arguments, and not those of another call under its id.
func cancelOfARetry(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(withErrback("a"))
	a := w.claim()
	w.feed.Want(w.lane, 0)
	w.fail(a, deferred.RetryAfter(time.Hour, errors.New("not yet")))
	other := again("a")
	other.Body = []byte(`"moon"`)
	r.put(other)
	if err := r.queue.Open("a").Cancel(r.ctx, "enough"); err != nil {
		r.Fatal(err)
	}
	rec := r.await("a", deferred.Cancelled)
	if string(rec.Args.Data) != `"world"` || len(rec.Callbacks) != 1 {
		r.Errorf("it has the arguments %s and %d callbacks", rec.Args.Data, len(rec.Callbacks))
	}
}
