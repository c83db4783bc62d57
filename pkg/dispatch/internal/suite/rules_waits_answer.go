package suite

import (
	"errors"
	"math"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// commands is a queue that counts the commands that are given by it.
func (r *rig) commands() (q *dispatch.Queue, given *atomic.Int64) {
	given = new(atomic.Int64)
	return r.tap(tapped{stored: func(m driver.Message) {
		if m.Route == driver.Commands {
			given.Add(1)
		}
	}}), given
}

// What the record answers needs no command.
func answeredByTheRecord(r *rig) {
	q, given := r.commands()
	r.submit(greeting("succeeded"), named("bad", "failed"), greeting("a-cancelled"))
	if err := r.queue.Open("a-cancelled").Cancel(r.ctx, ""); err != nil {
		r.Fatal(err)
	}
	r.perform(map[string]handler{"greet": succeeds(`"done"`), "bad": fails("odd")})
	r.await("succeeded", deferred.Succeeded)
	r.await("failed", deferred.Failed)
	r.comesToBe("failed", "is handled", func(rec *deferred.Record) bool { return rec.Handled })
	held := named("nobody", "held")
	r.submit(held)
	if err := r.queue.Open("held").Hold(r.ctx, ""); err != nil {
		r.Fatal(err)
	}
	for what, err := range map[string]error{
		"success handled": q.Open("succeeded").Handle(r.ctx),
		"handled again":   q.Open("failed").Handle(r.ctx),
		"cancelled again": q.Open("a-cancelled").Cancel(r.ctx, ""),
	} {
		if err != nil {
			r.Errorf("%s: %v", what, err)
		}
	}
	for _, id := range []deferred.ID{"succeeded", "failed", "a-cancelled"} { // of which nobody has to be told
		if _, err := q.Await(r.ctx, id); err != nil {
			r.Error(err)
		}
	}
	var settled *deferred.SettledError
	if err := q.Open("succeeded").Cancel(r.ctx, ""); !errors.As(err, &settled) {
		r.Errorf("the cancel of what has succeeded was answered with %v", err)
	}
	var state *deferred.StateError
	if err := q.Open("held").Handle(r.ctx); !errors.As(err, &state) {
		r.Errorf("the handling of what is open was answered with %v", err)
	}
	if n := given.Load(); n > 0 {
		r.Errorf("%d commands were given", n)
	}
}

// A hold that is overtaken by a later release does not hold.
func overtakenHold(r *rig) {
	r.submit(greeting("a"))
	q := r.tap(tapped{stored: func(m driver.Message) {
		if m.Verb == "hold" {
			r.write("a", func(rec *deferred.Record) { rec.State, rec.Obeyed = deferred.Pending, math.MaxInt64 })
		}
	}})
	if err := q.Open("a").Hold(r.ctx, ""); err != nil {
		r.Fatal(err)
	}
	if rec := r.record("a"); rec.State != deferred.Pending || rec.Obeyed != math.MaxInt64 {
		r.Errorf("it is %s, obeyed %d", rec.State, rec.Obeyed)
	}
	r.perform(map[string]handler{"greet": succeeds(`"done"`)})
	r.await("a", deferred.Succeeded)
	r.becomesEmpty(driver.Commands)
}

// Whoever gives an equal word after another is told that it was not his that counts.
func equalWords(r *rig) {
	r.perform(nil)
	r.openGate()
	r.submit(whistle)
	r.comesToBe("whistle", "waits", waiting)
	var settled *deferred.SettledError
	for i := range 2 {
		err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 1)
		if i == 0 && err != nil || i == 1 && !errors.As(err, &settled) {
			r.Errorf("resolution %d was answered with %v", i+1, err)
		}
		err = deferred.RejectPromise(r.ctx, r.queue, whistleToken, errors.New("no"))
		if i == 0 && err != nil || i == 1 && !errors.As(err, &settled) {
			r.Errorf("rejection %d was answered with %v", i+1, err)
		}
	}
	// One who signs his word may repeat it, and not take it back.
	word := deferred.Command{Verb: deferred.Resolve, ID: "early", Token: earlyToken, Result: deferred.JSON([]byte("1")), By: "me"}
	r.submit(early)
	r.comesToBe("early", "waits", waiting)
	for i := range 2 {
		if err := r.queue.Do(r.ctx, word); err != nil {
			r.Errorf("the word of the same was answered with %v when it came for time %d", err, i+1)
		}
	}
	word.Result = deferred.JSON([]byte("2"))
	if err := r.queue.Do(r.ctx, word); !errors.As(err, &settled) {
		r.Errorf("another word of the same was answered with %v", err)
	}
	if rec := r.await("early", deferred.Succeeded); rec.SettledBy != "me" || string(rec.Result.Data) != "1" {
		r.Errorf("it has %s, by %q", rec.Result.Data, rec.SettledBy)
	}
}

// A token settles a promise that waits, and nothing else; before the promise is met
// by anybody its token cannot be judged.
func wrongTokens(r *rig) {
	q, given := r.commands()
	r.perform(nil)
	r.openGate()
	r.submit(joinOf("join", deferred.JoinAll, "gate"), named("nobody", "call"))
	r.comesToBe("join", "waits", waiting)
	for _, token := range []deferred.PromiseToken{"gate.wrong", "join.wrong", "call.wrong"} {
		err := deferred.ResolvePromise(r.ctx, q, token, 1)
		if !errors.Is(err, deferred.ErrToken) {
			r.Errorf("%s was answered with %v", token, err)
		}
		r.put(driver.Message{Route: driver.Commands, Verb: "resolve", ID: token.ID(), Body: []byte(`{"token":"` + string(token) + `","value":1}`)})
	}
	drivertest.Eventually(r.T, "two words are set aside", func() bool { return r.pending(driver.Aside) == 2 })
	if n := given.Load(); n > 1 { // a call that nobody has met may be a promise
		r.Errorf("%d commands were given", n)
	}
	for _, id := range []deferred.ID{"gate", "join", "call"} {
		if rec, err := r.queue.Record(r.ctx, id); err != nil || rec.State.Settled() {
			r.Errorf("%s is %s (%v)", id, rec.State, err)
		}
	}
}

// Of a promise that was cancelled before anybody had met it, its token cannot be
// judged; that it has settled can be told.
func tokenOfTheUnmet(r *rig) {
	r.perform(nil)
	r.put(driver.Message{Route: driver.Commands, Verb: "cancel", ID: "gate"})
	r.await("gate", deferred.Cancelled)
	var settled *deferred.SettledError
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 1); !errors.As(err, &settled) || settled.State != deferred.Cancelled {
		r.Errorf("the resolution was answered with %v", err)
	}
}
