package suite

import (
	"errors"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// attached waits until the record of id knows of a waiter. It looks at what is
// stored: of a call that nobody has met, a ledger shows the message.
func (r *rig) attached(id, waiter deferred.ID) {
	r.Helper()
	drivertest.Eventually(r.T, string(id)+" knows of "+string(waiter), func() bool {
		entries, err := r.pair.Store.Read(r.ctx, []driver.Key{{Space: driver.Records, Name: string(id)}})
		var rec deferred.Record
		return err == nil && entries[0].Revision != 0 && rec.UnmarshalJSON(entries[0].Value) == nil && rec.Attached(waiter) != nil
	})
}

// waits waits until a deferred waits for another one, and that one knows.
func (r *rig) waits(id, inner deferred.ID) {
	r.Helper()
	r.becomes(id, deferred.Waiting)
	r.attached(inner, id)
}

// becomes waits until a deferred is in a state.
func (r *rig) becomes(id deferred.ID, want deferred.State) {
	r.Helper()
	drivertest.Eventually(r.T, string(id)+" becomes "+string(want), func() bool {
		rec, err := r.queue.Record(r.ctx, id)
		return err == nil && rec.State == want
	})
}

// stillOpen: all that was to be done about a deferred is done, and it is open.
func (r *rig) stillOpen(ids ...deferred.ID) {
	r.Helper()
	r.becomesEmpty(driver.Commands)
	for _, id := range ids {
		if rec, err := r.queue.Record(r.ctx, id); err != nil || rec.State.Settled() {
			r.Errorf("%s is %s (%v), want it open", id, rec.State, err)
		}
	}
}

// joins submits a join under an id of its own.
func (r *rig) joins(id deferred.ID, mode deferred.JoinMode, cancelRest bool, members ...deferred.ID) {
	r.Helper()
	c := deferred.NewJoin(mode, r.open(members...)...)
	c.ID, c.Join.CancelRest = id, cancelRest
	r.submit(c)
}

func restIsAJoin(r *rig) {
	for _, mode := range []deferred.JoinMode{deferred.JoinRace, deferred.JoinAny} {
		at := func(id deferred.ID) deferred.ID { return deferred.ID(mode) + "-" + id }
		r.perform(nil)
		fast := r.promise(at("fast"))
		r.promise(at("x"))
		r.promise(at("y"))
		r.joins(at("inner"), deferred.JoinAll, false, at("x"), at("y"))
		r.joins(at("loser"), deferred.JoinAllSettled, false, at("inner"))
		r.joins(at("first"), mode, true, at("loser"), at("fast"))
		r.waits(at("first"), at("loser"))
		r.attached(at("x"), at("inner"))
		r.attached(at("y"), at("inner"))
		r.resolve(fast, 1)
		r.ends(at("first"), `succeeded 1`)
		for _, id := range []deferred.ID{"loser", "inner", "x", "y"} {
			r.ends(at(id), `cancelled cancelled: the join `+string(at("first"))+` has settled without it`)
		}
	}
}

// A loser that is a join is cancelled, but of its members not the one that
// another deferred waits for.
func restOfALoserIsWanted(r *rig) {
	r.perform(nil)
	fast, wanted := r.promise("fast"), r.promise("wanted")
	r.promise("lone")
	r.joins("loser", deferred.JoinAll, false, "lone", "wanted")
	r.joins("other", deferred.JoinAll, false, "wanted")
	r.joins("race", deferred.JoinRace, true, "fast", "loser")
	r.waits("race", "loser")
	r.attached("lone", "loser")
	r.attached("wanted", "loser")
	r.attached("wanted", "other")
	r.resolve(fast, 1)
	r.await("loser", deferred.Cancelled)
	r.await("lone", deferred.Cancelled)
	r.released("loser")
	r.stillOpen("wanted", "other")
	r.resolve(wanted, 2)
	r.ends("other", `succeeded [2]`)
}

// Whoever waits for a loser too keeps it: a join, an adopter, a callback that
// was added.
func restIsWanted(r *rig) {
	r.perform(map[string]handler{"one": func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("adopted")) }})
	fast := r.promise("fast")
	r.promise("joined")
	r.promise("adopted")
	r.promise("followed")
	r.promise("lone")
	r.joins("join", deferred.JoinAny, false, "joined")
	r.submit(named("one", "adopter"))
	after := r.must(r.queue.Open("followed").AddErrback(r.ctx, named("nobody", "callback")))
	r.attached("joined", "join")
	r.waits("adopter", "adopted")
	r.attached("followed", after.ID())
	r.joins("any", deferred.JoinAny, true, "joined", "adopted", "followed", "lone", "fast")
	r.waits("any", "fast")
	r.resolve(fast, 1)
	r.ends("any", `succeeded 1`)
	r.await("lone", deferred.Cancelled)
	r.released("any")
	r.stillOpen("joined", "adopted", "followed", "join", "adopter", "callback")
}

// What travels with a loser is a part of it, and no reason to keep it: its
// errback runs.
func restHasErrbacks(r *rig) {
	fast := r.promise("fast")
	w := r.join(r.queue, "greet")
	r.submit(withErrback("loser"))
	a := w.claim()
	r.joins("race", deferred.JoinRace, true, "fast", "loser")
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	r.waits("race", "loser")
	revoked := make(chan error, 1)
	a.OnRevoke(func(cause error) { revoked <- cause })
	r.resolve(fast, 1)
	r.await("loser", deferred.Cancelled)
	if cause := <-revoked; !errors.Is(cause, deferred.ErrCancelled) {
		r.Errorf("it was told %v", cause)
	}
	r.gives(deferred.ChildID("loser", 0), `"mended"`)
	if err := w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Succeeded}); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("its success was answered with %v", err)
	}
}

func restOfAFailedAll(r *rig) {
	r.perform(nil)
	bad := r.promise("bad")
	r.promise("rest")
	r.joins("all", deferred.JoinAll, true, "rest", "bad")
	r.waits("all", "rest")
	r.attached("bad", "all")
	r.reject(bad, "odd")
	r.failsWith("all", "odd")
	r.await("rest", deferred.Cancelled)
}

// Nothing is cancelled that nobody asked to be.
func restIsLeft(r *rig) {
	r.perform(nil)
	fast, slow := r.promise("fast"), r.promise("slow")
	r.joins("race", deferred.JoinRace, false, "slow", "fast")
	r.waits("race", "slow")
	r.resolve(fast, 1)
	r.ends("race", `succeeded 1`)
	r.released("race")
	r.stillOpen("slow")
	r.resolve(slow, 2)
}

// released waits until a deferred that has settled needs none of those any more
// that it waited for: the last thing that is done about it.
func (r *rig) released(id deferred.ID) {
	r.Helper()
	drivertest.Eventually(r.T, string(id)+" has let go", func() bool {
		rec, err := r.queue.Record(r.ctx, id)
		return err == nil && rec.Waits.Released
	})
}
