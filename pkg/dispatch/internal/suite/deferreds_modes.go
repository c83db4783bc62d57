package suite

import (
	"errors"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver/drivertest"
)

// promise submits a promise: a member that settles when the case says so.
func (r *rig) promise(id deferred.ID) deferred.PromiseToken {
	r.Helper()
	c, token := deferred.NewPromise(id, "member")
	r.submit(c)
	return token
}

// resolve settles a promise as succeeded, and waits until it has, and time has
// passed: what settles in turn has settled in that order.
func (r *rig) resolve(t deferred.PromiseToken, value any) {
	r.Helper()
	if err := deferred.ResolvePromise(r.ctx, r.queue, t, value); err != nil {
		r.Fatal(err)
	}
	r.past(r.await(t.ID(), deferred.Succeeded))
}

// past waits until the time at which something settled is over. Fake time stands
// still while anything happens, and of two that settled at once neither is first.
func (r *rig) past(rec deferred.Record) {
	r.Helper()
	drivertest.Eventually(r.T, "time passes", func() bool { return time.Now().After(rec.Settled) })
}

func (r *rig) reject(t deferred.PromiseToken, kind string) {
	r.Helper()
	if err := deferred.RejectPromise(r.ctx, r.queue, t, kindError(kind)); err != nil {
		r.Fatal(err)
	}
	r.past(r.await(t.ID(), deferred.Failed))
}

func (r *rig) cancel(id deferred.ID, reason string) {
	r.Helper()
	if err := r.queue.Open(id).Cancel(r.ctx, reason); err != nil {
		r.Fatal(err)
	}
}

// open gives handles.
func (r *rig) open(ids ...deferred.ID) (ds []*deferred.Deferred) {
	for _, id := range ids {
		ds = append(ds, r.queue.Open(id))
	}
	return ds
}

// ending is all that there is to see of an outcome, as text.
func ending(rec deferred.Record) string {
	s := string(rec.State) + " " + string(rec.Result.Data)
	if f := rec.Failure; f != nil {
		s += f.Kind + ": " + f.Message
		for _, c := range f.Chain {
			s += "; " + c.Kind + ": " + c.Message
		}
		if f.Member != "" {
			s += " of " + string(f.Member)
		}
	}
	return s
}

// ends awaits an outcome, to the letter.
func (r *rig) ends(id deferred.ID, want string) deferred.Record {
	r.Helper()
	rec, err := r.queue.Await(r.ctx, id)
	if err != nil {
		r.Fatalf("%s: %v", id, err)
	}
	if got := ending(rec); got != want {
		r.Errorf("%s ended\n  %s, want\n  %s", id, got, want)
	}
	return rec
}

func allOfNone(r *rig) {
	r.perform(nil)
	r.ends(r.must(deferred.All(r.ctx, r.queue)).ID(), `succeeded []`)
}

func allOfOne(r *rig) {
	r.perform(nil)
	good, bad := r.promise("good"), r.promise("bad")
	one, none := r.must(deferred.All(r.ctx, r.queue, r.open("good")...)), r.must(deferred.All(r.ctx, r.queue, r.open("bad")...))
	r.resolve(good, map[string]int{"n": 1})
	r.reject(bad, "odd")
	r.ends(one.ID(), `succeeded [{"n":1}]`)
	r.ends(none.ID(), `failed odd: of kind odd of bad`)
}

// Of several that have failed it is the first by time, not by place.
func allOfMixed(r *rig) {
	r.perform(nil)
	a, b, c, d := r.promise("a"), r.promise("b"), r.promise("c"), r.promise("d")
	all := r.must(deferred.All(r.ctx, r.queue, r.open("a", "b", "c", "d")...))
	r.resolve(b, 2)
	r.reject(c, "odd")
	r.ends(all.ID(), `failed odd: of kind odd of c`)
	r.reject(a, "even")
	r.resolve(d, 4)
	late := r.must(deferred.All(r.ctx, r.queue, r.open("a", "b", "c", "d")...))
	r.ends(late.ID(), `failed odd: of kind odd of c`)
}

func allOfACancelled(r *rig) {
	r.perform(nil)
	r.promise("a")
	r.promise("b")
	all := r.must(deferred.All(r.ctx, r.queue, r.open("a", "b")...))
	r.cancel("b", "not needed")
	r.ends(all.ID(), `failed cancelled: not needed of b`)
}

func settledOfNone(r *rig) {
	r.perform(nil)
	r.ends(r.must(deferred.AllSettled(r.ctx, r.queue)).ID(), `succeeded []`)
}

func settledOfOne(r *rig) {
	r.perform(nil)
	bad := r.promise("bad")
	one := r.must(deferred.AllSettled(r.ctx, r.queue, r.open("bad")...))
	r.reject(bad, "odd")
	r.ends(one.ID(), `succeeded [{"id":"bad","state":"failed","failure":{"kind":"odd","message":"of kind odd"}}]`)
}

// Every outcome that there is, settled in another order than that of the members.
func settledOfMixed(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(`"x"`)})
	good, bad := r.promise("good"), r.promise("bad")
	r.promise("gone")
	late, _ := deferred.NewPromise("late", "member")
	late.Deadline = time.Now().Add(time.Second)
	r.submit(late)
	all := r.must(deferred.AllSettled(r.ctx, r.queue, r.open("good", "bad", "gone", "late", "call")...))
	r.await("late", deferred.Expired)
	r.submit(named("greet", "call"))
	r.await("call", deferred.Succeeded)
	r.cancel("gone", "not needed")
	r.reject(bad, "odd")
	r.resolve(good, []int{1, 2})
	missed := `it had not settled by ` + late.Deadline.UTC().Format(time.RFC3339)
	r.ends(all.ID(), `succeeded [{"id":"good","state":"succeeded","result":[1,2]},`+
		`{"id":"bad","state":"failed","failure":{"kind":"odd","message":"of kind odd"}},`+
		`{"id":"gone","state":"cancelled","failure":{"kind":"cancelled","message":"not needed"}},`+
		`{"id":"late","state":"expired","failure":{"kind":"expired","message":"`+missed+`"}},`+
		`{"id":"call","state":"succeeded","result":"x"}]`)
}

func anyOfNone(r *rig) {
	r.perform(nil)
	r.ends(r.must(deferred.Any(r.ctx, r.queue)).ID(), `failed all failed: none of 0 members has succeeded`)
}

func anyOfOne(r *rig) {
	r.perform(nil)
	good, bad := r.promise("good"), r.promise("bad")
	one, none := r.must(deferred.Any(r.ctx, r.queue, r.open("good")...)), r.must(deferred.Any(r.ctx, r.queue, r.open("bad")...))
	r.resolve(good, "x")
	r.reject(bad, "odd")
	r.ends(one.ID(), `succeeded "x"`)
	r.ends(none.ID(), `failed all failed: none of 1 members has succeeded; odd: bad: of kind odd`)
}

func anyOfMixed(r *rig) {
	r.perform(nil)
	a, b, c := r.promise("a"), r.promise("b"), r.promise("c")
	one := r.must(deferred.Any(r.ctx, r.queue, r.open("a", "b", "c")...))
	r.reject(b, "odd")
	r.resolve(c, 3)
	if rec := r.ends(one.ID(), `succeeded 3`); rec.Waits.Winner != "c" {
		r.Errorf("the winner is %q", rec.Waits.Winner)
	}
	r.resolve(a, 1)
	r.ends(r.must(deferred.Any(r.ctx, r.queue, r.open("a", "b", "c")...)).ID(), `succeeded 3`)
}

// The failures are in the order of the members, not in that of time.
func anyOfFailures(r *rig) {
	r.perform(nil)
	a, c := r.promise("a"), r.promise("c")
	r.promise("b")
	one := r.must(deferred.Any(r.ctx, r.queue, r.open("a", "b", "c")...))
	r.reject(c, "even")
	r.cancel("b", "not needed")
	r.reject(a, "odd")
	r.ends(one.ID(), `failed all failed: none of 3 members has succeeded; odd: a: of kind odd; cancelled: b: not needed; even: c: of kind even`)
}

func raceOfNone(r *rig) {
	var input *deferred.InputError
	if _, err := deferred.Race(r.ctx, r.queue); !errors.As(err, &input) || input.Field != deferred.FieldJoin || !strings.Contains(err.Error(), "never end") {
		r.Errorf("answered with %v", err)
	}
}

func raceOfOne(r *rig) {
	r.perform(nil)
	good, bad := r.promise("good"), r.promise("bad")
	r.promise("gone")
	var races []deferred.ID
	for _, d := range r.open("good", "bad", "gone") {
		races = append(races, r.must(deferred.Race(r.ctx, r.queue, d)).ID())
	}
	r.resolve(good, nil)
	r.reject(bad, "odd")
	r.cancel("gone", "not needed")
	r.ends(races[0], `succeeded null`)
	r.ends(races[1], `failed odd: of kind odd`)
	r.ends(races[2], `cancelled cancelled: not needed`)
}

// The first to settle wins, be it a failure.
func raceOfMixed(r *rig) {
	r.perform(nil)
	a, b, c := r.promise("a"), r.promise("b"), r.promise("c")
	race := r.must(deferred.Race(r.ctx, r.queue, r.open("a", "b", "c")...))
	r.reject(b, "odd")
	if rec := r.ends(race.ID(), `failed odd: of kind odd`); rec.Waits.Winner != "b" {
		r.Errorf("the winner is %q", rec.Waits.Winner)
	}
	r.resolve(a, 1)
	r.resolve(c, 3)
	r.ends(r.must(deferred.Race(r.ctx, r.queue, r.open("c", "b", "a")...)).ID(), `failed odd: of kind odd`)
}
