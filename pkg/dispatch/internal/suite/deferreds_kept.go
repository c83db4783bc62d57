package suite

import (
	"context"
	"strings"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// lives remembers the writes of each record, and for how long each was.
type lives struct {
	driver.Store
	mu     sync.Mutex
	writes map[deferred.ID][]life
}

type life struct {
	record   deferred.Record
	ttl      time.Duration
	revision uint64
}

func (s *lives) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	written := s.Store.Write(ctx, writes)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, w := range writes {
		var l life
		if w.Space == driver.Records && written[i].Err == nil && l.record.UnmarshalJSON(w.Value) == nil {
			l.ttl, l.revision = w.TTL, written[i].Revision
			s.writes[l.record.ID] = append(s.writes[l.record.ID], l)
		}
	}
	return written
}

// of gives the writes of a record.
func (s *lives) of(id deferred.ID) []life {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes[id]
}

// last is for how long the record was last written.
func (s *lives) last(id deferred.ID) time.Duration {
	var last life
	for _, l := range s.of(id) { // two writers may be told in another order than they wrote
		if l.revision > last.revision {
			last = l
		}
	}
	return last.ttl
}

// living has the queue of the case remember what is written.
func (r *rig) living() *lives {
	s := &lives{Store: r.pair.Store, writes: map[deferred.ID][]life{}}
	r.queue = r.over(s, r.pair.Broker)
	return s
}

// How long a record is kept goes by its outcome, unless its call says it.
func keptByOutcome(r *rig) {
	s := r.living()
	r.perform(map[string]handler{"good": succeeds(`1`), "bad": fails("odd")})
	for _, c := range []deferred.Call{named("good", "succeeded"), named("bad", "failed"), named("nobody", "cancelled"), named("nobody", "expired")} {
		if c.ID == "expired" {
			c.Deadline = time.Now().Add(time.Second)
		}
		keeping := c
		keeping.ID += "-brief"
		keeping.Keep = 2 * time.Minute
		r.submit(c, keeping)
		state := deferred.State(c.ID)
		if state == deferred.Cancelled {
			r.cancel(c.ID, "")
			r.cancel(keeping.ID, "")
		}
		r.await(c.ID, state)
		r.await(keeping.ID, state)
	}
	r.perform(map[string]handler{"nobody": succeeds(`1`)}) // meets the messages of those that were settled without them
	for id, want := range map[deferred.ID]time.Duration{
		"succeeded": time.Hour, "failed": 7 * 24 * time.Hour, "cancelled": 7 * 24 * time.Hour, "expired": 7 * 24 * time.Hour,
	} {
		for id, want := range map[deferred.ID]time.Duration{id: want, id + "-brief": 2 * time.Minute} {
			drivertest.Eventually(r.T, string(id)+" may be forgotten", func() bool { return s.last(id) > 0 })
			if got := s.last(id); got > want || got < want-time.Minute {
				r.Errorf("%s is kept for %v, want %v", id, got, want)
			}
		}
	}
}

// What a waiter has made of nothing is kept as long as it is needed, and some
// minutes more.
func keptForNothing(r *rig) {
	s := r.living()
	r.must(r.queue.Open("nobody").AddCallback(r.ctx, named("mend", "c")))
	r.perform(map[string]handler{"mend": succeeds(`1`)})
	r.attached("nobody", "c")
	if got := s.last("nobody"); got != 0 {
		r.Errorf("it is kept for %v while something waits for it", got)
	}
	r.failsWith("c", deferred.KindParentUnknown)
	drivertest.Eventually(r.T, "it is kept for ten minutes", func() bool { return s.last("nobody") == 10*time.Minute })
}

// A join and an adopter may not be forgotten before those that they waited for
// know that they are not needed any more.
func keptUntilReleased(r *rig) {
	s := r.living()
	r.perform(map[string]handler{"one": r.adopts("p")})
	token := r.promise("p")
	r.joins("all", deferred.JoinAll, false, "p")
	r.submit(named("one", "adopter"))
	r.waits("all", "p")
	r.waits("adopter", "p")
	r.resolve(token, 1)
	for _, id := range []deferred.ID{"all", "adopter"} {
		r.await(id, deferred.Succeeded)
		r.released(id)
		settled := false
		for _, l := range s.of(id) {
			settled = settled || l.record.State.Settled() && !l.record.Waits.Released
			if l.ttl != 0 != (l.record.Waits != nil && l.record.Waits.Released) {
				r.Errorf("%s, %s, was kept for %v while it waits as %+v", id, l.record.State, l.ttl, l.record.Waits)
			}
		}
		if !settled {
			r.Errorf("%s never held on to what it waited for", id)
		}
	}
	drivertest.Eventually(r.T, "the promise may be forgotten", func() bool { return s.last("p") > 0 })
}

// The time runs from when a deferred has settled, not from when it was needed last.
func keptFromSettling(r *rig) {
	s := r.living()
	r.perform(map[string]handler{"greet": succeeds(`"x"`), "follow": succeeds(`"y"`)})
	late := named("follow", "late")
	late.Delay = long
	r.submit(named("greet", "p"))
	r.must(r.queue.Open("p").AddCallback(r.ctx, late))
	r.await("late", deferred.Succeeded)
	drivertest.Eventually(r.T, "its parent may be forgotten", func() bool { return s.last("p") > 0 })
	if got, want := s.last("p"), time.Hour-long; got > want || got < want-time.Minute {
		r.Errorf("it is kept for %v more, %v after it has settled", got, long)
	}
}

// Neither what is written on a member later shortens the time for which a join is
// whole that is made of it, nor does another join that is kept for less.
func membersAreWrittenLater(r *rig) {
	large := `"` + strings.Repeat("x", 150<<10) + `"`
	r.perform(map[string]handler{"greet": succeeds(large), "mend": succeeds(`1`)})
	token := r.promise("p")
	r.submit(brief("greet", "a"), brief("greet", "b"))
	join := deferred.NewJoin(deferred.JoinAll, r.open("a", "b")...)
	join.ID, join.Keep = "all", 2*long
	short := deferred.NewJoin(deferred.JoinAllSettled, r.open("a", "b")...)
	short.ID, short.Keep = "short", deferred.MinKeep
	r.joins("open", deferred.JoinAll, false, "b", "p") // needs b for longer than the large one
	r.waits("open", "b")
	r.submit(join)
	r.await("all", deferred.Succeeded)
	r.released("all")
	r.submit(short)
	r.await("short", deferred.Succeeded)
	r.released("short")
	r.resolve(token, 1)
	r.await("open", deferred.Succeeded)
	r.must(r.queue.Open("a").AddCallback(r.ctx, brief("mend", "late")))
	r.await("late", deferred.Succeeded)
	r.pass(long)
	if got := len(r.await("all", deferred.Succeeded).Result.Data); got < 300<<10 {
		r.Errorf("the result has %d bytes, want those of both members", got)
	}
	r.pass(long + 5*deferred.MinKeep) // what a result is made of is kept for a little longer
	r.forgotten("all", "short", "a")
	r.pass(time.Hour) // for as long as the open one, which is made of it too
	r.forgotten("b")
}

// Who has taken over a large result can read it for as long as it is kept itself,
// also by way of another.
func largeIsKeptForAdopters(r *rig) {
	large := `"` + strings.Repeat("x", 150<<10) + `"`
	r.perform(map[string]handler{"greet": succeeds(large), "one": r.adopts("inner"), "two": r.adopts("all")})
	outer, inner := brief("one", "outer"), brief("two", "inner")
	outer.Keep = 2 * long
	join := deferred.NewJoin(deferred.JoinAll, r.open("a", "b")...)
	join.ID, join.Keep = "all", deferred.MinKeep
	r.submit(join, inner)
	r.waits("inner", "all")
	r.submit(outer)
	r.waits("outer", "inner")
	r.submit(brief("greet", "a"), brief("greet", "b"))
	r.await("outer", deferred.Succeeded)
	r.pass(long)
	if got := len(r.await("outer", deferred.Succeeded).Result.Data); got < 300<<10 {
		r.Errorf("the result has %d bytes, want those of both members", got)
	}
	r.pass(long + 5*deferred.MinKeep) // what a result is made of is kept for a little longer
	r.forgotten("outer", "inner", "all", "a", "b")
}

// A failure is listed when the grace time is over, and not before: somebody may be
// about to look at it.
func unhandledAfterTheGrace(r *rig) {
	const grace = 5 * time.Minute
	r.queue = dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, UnhandledGrace: grace, Logger: silent()})
	r.perform(map[string]handler{"greet": fails("odd")})
	r.submit(named("greet", "a"))
	r.becomes("a", deferred.Failed) // nobody waits for it: that would be handling it
	r.pass(grace - time.Second)
	if !listsUnhandled(r, r.queue) {
		r.Error("it is listed before the grace time is over")
	}
	r.pass(2 * time.Second)
	if !listsUnhandled(r, r.queue, "a") {
		r.Error("it is not listed after the grace time")
	}
}

// In a list of two of which one never was, the other one's failure came first,
// whatever the order: what does not exist has no time.
func unknownIsLast(r *rig) {
	token := r.promise("bad")
	r.reject(token, "odd")
	r.joins("race", deferred.JoinRace, false, "nobody", "bad")
	r.joins("all", deferred.JoinAll, false, "nobody", "bad")
	r.pass(long) // until nobody is waited for any more who was not seen
	r.perform(nil)
	r.ends("race", `failed odd: of kind odd`)
	r.ends("all", `failed odd: of kind odd of bad`)
}

// A callback that has waited for its parent has to begin by its time in its lane too.
func beginByInTheLane(r *rig) {
	token := r.promise("p")
	r.perform(nil)
	late := named("follow", "late")
	late.BeginBy = time.Now().Add(time.Minute)
	r.must(r.queue.Open("p").AddCallback(r.ctx, late))
	r.waits("late", "p")
	r.resolve(token, 1)
	r.becomes("late", deferred.Pending) // in its lane, where nobody is
	r.pass(2 * time.Minute)
	r.perform(map[string]handler{"follow": succeeds(`1`)})
	r.ends("late", `expired expired: no worker began it by `+late.BeginBy.UTC().Format(time.RFC3339))
}
