package suite

import (
	"errors"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver/drivertest"
)

var resultCasesOverTime = []rigCase{
	{"ListWithWhatNobodyKnewDoesNotChange", unknownInList},
	{"ListThatIsMadeOfMembersIsGivenToACallbackLongAfter", listIsGivenLate},
	{"ResultIsWholeForAsLongAsTheLastOfItsTakersIsKept", chainOfTakers},
	{"CallbackOnWhatHasLetGoKeepsItAgain", hungOnLetGo},
	{"CallbackOnWhatIsLettingGoIsGivenItsInput", hungWhileLettingGo},
	{"CallbackOnWhatLetGoHalfWayIsGivenItsInput", hungHalfWay},
	{"MembersOfAWideJoinAreKeptWhoeverDies", wideJoinWhoeverDies},
	{"OfTooManyRecordsThoseStayThatAResultIsMadeOf", boundSparesSources},
}

// The list of the join is made of three members, one of which
// nobody knows.
func unknownInList(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(huge)})
	r.submit(brief("greet", "a"), brief("greet", "b"))
	j := joinOf("j", deferred.JoinAllSettled, "a", "ghost", "b")
	j.Keep = 2 * long
	r.submit(j)
	first := r.await("j", deferred.Succeeded)
	if rec := r.record("j"); rec.ResultOf != "j" || len(rec.Waits.Unknown) != 1 {
		r.Errorf("refers to %q, unknown: %q", rec.ResultOf, rec.Waits.Unknown)
	}
	r.pass(long)
	r.submit(named("greet", "ghost")) // which does not change how the join ended
	r.await("ghost", deferred.Succeeded)
	r.gives("j", string(first.Result.Data))
}

func listIsGivenLate(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(huge)})
	r.submit(brief("greet", "a"), brief("greet", "b"))
	j := joinOf("j", deferred.JoinAllSettled, "a", "b")
	j.Keep = deferred.MinKeep
	r.submit(j)
	want := string(r.await("j", deferred.Succeeded).Result.Data)
	c := named("mend", "c")
	c.Delay = 2 * time.Hour
	r.must(r.queue.Open("j").AddCallback(r.ctx, c))
	w := r.join(r.queue, "mend")
	a := w.claim()
	if got := string(a.Parent.Outcome.Result.Data); got != want {
		r.Errorf("it was given %d bytes, want %d", len(got), len(want))
	}
	w.succeed(a)
	r.await("c", deferred.Succeeded)
	r.pass(3 * deferred.MinKeep)
	r.forgotten("a", "b", "j")
}

func adopterOfAList(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(huge), "one": r.adopts("j")})
	r.submit(brief("greet", "a"), brief("greet", "b"), joinOf("j", deferred.JoinAll, "a", "b"))
	adopter := named("one", "adopter")
	adopter.Keep = 24 * time.Hour
	r.submit(adopter)
	list := "[" + huge + "," + huge + "]"
	r.gives("adopter", list)
	r.pass(23 * time.Hour)
	r.gives("adopter", list)
	r.pass(time.Hour + 2*deferred.MinKeep)
	r.forgotten("a", "b", "j", "adopter")
}

// p, an adopter of p, a callback below it that is passed by, and an adopter of that:
// each is kept for longer than what it refers to.
func chainOfTakers(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(sizable), "one": r.adopts("p"), "two": r.adopts(deferred.ChildID("first", 0))})
	first := brief("one", "first")
	first.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{Name: "mend", Keep: long}}}
	last := named("two", "last")
	last.Keep = 3 * long
	r.submit(brief("greet", "p"), first, last)
	r.gives("last", sizable)
	for range 5 {
		r.pass(long / 2)
		r.gives("last", sizable)
	}
	r.pass(long/2 + 4*deferred.MinKeep)
	r.forgotten("p", "first", deferred.ChildID("first", 0), "last")
}

// letGoChain is a chain of two takers of p that have let go of what they refer to.
func (r *rig) letGoChain(p, inner, outer deferred.ID) {
	for _, c := range []struct{ id, inner deferred.ID }{{inner, p}, {outer, inner}} {
		j := joinOf(c.id, deferred.JoinRace, c.inner)
		j.Keep = long
		r.submit(j)
	}
	r.submit(brief("greet", p))
	for _, id := range []deferred.ID{inner, outer} {
		r.gives(id, sizable)
		r.comesToBe(id, "lets go", func(rec *deferred.Record) bool { return rec.ResultOf != "" && !rec.Holds })
	}
}

func hungOnLetGo(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(sizable)})
	r.letGoChain("p", "inner", "outer")
	r.pass(long / 2)
	c := brief("follow", "c")
	c.Delay = 10 * long
	r.must(r.queue.Open("outer").AddCallback(r.ctx, c))
	r.must(r.queue.Open("outer").AddErrback(r.ctx, brief("mend", "passed")))
	r.gives("passed", sizable)
	w := r.join(r.queue, "follow")
	a := w.claim()
	if got := string(a.Parent.Outcome.Result.Data); got != sizable {
		r.Errorf("it was given %d bytes, want %d", len(got), len(sizable))
	}
	w.succeed(a)
	r.await("c", deferred.Succeeded)
	r.pass(5 * deferred.MinKeep)
	r.forgotten("p", "inner", "outer", "c", "passed")
}

// The worker that meets the callback dies at each of its operations in turn.
func hungWhileDying(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(sizable)})
	for at := 1; ; at++ {
		for _, mode := range []drivertest.Mode{drivertest.KillBefore, drivertest.KillAfter} {
			id := func(s string) deferred.ID { return deferred.ID(s + fmt.Sprint("-", mode, "-", at)) }
			r.letGoChain(id("p"), id("inner"), id("outer"))
			for _, h := range r.hands {
				if err := h.feed.Leave(r.ctx); err != nil && !h.dead {
					r.Fatal(err)
				}
			}
			c := brief("follow", id("c"))
			c.Delay = 2 * long
			r.must(r.queue.Open(id("outer")).AddCallback(r.ctx, c))
			over := r.meetAndDie(at, mode)
			r.perform(map[string]handler{"greet": succeeds(sizable)})
			w := r.join(r.queue, "follow")
			a := w.claim()
			if got := string(a.Parent.Outcome.Result.Data); a.ID != c.ID || got != sizable {
				r.Errorf("%s %d: %s was given %d bytes, want %d", mode, at, a.ID, len(got), len(sizable))
			}
			w.succeed(a)
			r.await(c.ID, deferred.Succeeded)
			r.pass(5 * deferred.MinKeep)
			r.forgotten(id("p"), id("inner"), id("outer"), c.ID)
			if over {
				return
			}
		}
	}
}

// meetAndDie has a worker meet what waits, and die at an operation. It tells
// whether that did not come.
func (r *rig) meetAndDie(at int, mode drivertest.Mode) (over bool) {
	f := drivertest.NewFaults(r.pair.Store, r.pair.Broker, at, mode)
	feed, err := r.over(f.Store(), f.Broker()).Join(r.ctx, deferred.Worker{Name: "mortal"})
	r.pass(time.Second / 2) // its heartbeats are among the operations
	over = f.Count() < at
	if over {
		f.Kill()
	}
	if err == nil {
		_ = feed.Leave(r.ctx) // the dead leave no word
	}
	return over
}

func boundSparesSources(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(huge)})
	r.submit(named("greet", "a"), named("greet", "b"))
	j := joinOf("j", deferred.JoinAll, "a", "b")
	j.Keep = 24 * time.Hour
	r.submit(j)
	r.await("j", deferred.Succeeded)
	r.comesToBe("j", "lets go", func(rec *deferred.Record) bool { return !rec.Holds })
	r.submit(named("greet", "x"), named("greet", "y"))
	r.await("x", deferred.Succeeded)
	r.await("y", deferred.Succeeded)
	r.write("j", func(*deferred.Record) {}) // so that it is the newest
	r.queue = dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, MaxRecords: 4, SweepEvery: time.Second, Logger: silent()})
	for _, h := range r.hands { // of those that are there only the first sweeps
		if err := h.feed.Leave(r.ctx); err != nil {
			r.Fatal(err)
		}
	}
	r.join(r.queue, "unused")
	r.pass(time.Minute)
	_, first := r.queue.Record(r.ctx, "x")
	_, second := r.queue.Record(r.ctx, "y")
	if !errors.Is(errors.Join(first, second), deferred.ErrNotFound) {
		r.Errorf("none of those was deleted that nothing is made of: %v, %v", first, second)
	}
	r.gives("j", "["+huge+","+huge+"]")
}
