package suite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

var resultCases = []rigCase{
	{"LargeResultIsReferredToByWhoTakesItOver", largeIsReferredTo},
	{"SmallResultIsCopiedByWhoTakesItOver", smallIsCopied},
	{"ManySmallResultsAreCopiedIntoAList", smallList},
	{"CommandThatComesTooLateIsToldTheWholeResult", lateCommandIsTold},
	{"CallbackWhoseInputIsGoneHasFailed", inputIsGone},
	{"CallbackWhoseInputCannotBeReadForAWhileRunsThen", inputIsRead},
	{"CheckpointThatCannotBeReadIsPassedOver", checkpointGarbage},
	{"JoinWhoseListDoesNotFitBesideItsMembersSettles", listBesideMembers},
}

// sizable is a result that is not copied.
var sizable = `"` + strings.Repeat("x", 10<<10) + `"`

// takers take the result of p over: an adopter, a callback that travelled on the
// branch that was not taken, one below it, one that is added, and joins.
func (r *rig) takers(result string) []deferred.ID {
	r.perform(map[string]handler{"greet": succeeds(result), "one": r.adopts("p"), "mend": fails("odd")})
	c := named("greet", "p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{Name: "mend", Callbacks: []deferred.Callback{
		{On: deferred.OnFailure, Call: deferred.Call{Name: "mend"}},
	}}}}
	r.submit(c, named("one", "adopter"), joinOf("any", deferred.JoinAny, "adopter", "p"), joinOf("race", deferred.JoinRace, "p"))
	r.must(r.queue.Open("adopter").AddErrback(r.ctx, named("mend", "late")))
	child := deferred.ChildID("p", 0)
	return []deferred.ID{"adopter", child, deferred.ChildID(child, 0), "late", "any", "race"}
}

func largeIsReferredTo(r *rig) {
	for _, id := range r.takers(sizable) {
		r.gives(id, sizable)
		if rec := r.record(id); rec.ResultOf == "" || !rec.Result.IsZero() {
			r.Errorf("%s refers to %q and has %d bytes", id, rec.ResultOf, len(rec.Result.Data))
		}
	}
	r.submit(joinOf("list", deferred.JoinAll, "late", "any"))
	r.gives("list", "["+sizable+","+sizable+"]")
	got := make(chan string, 1)
	r.perform(map[string]handler{"size": func(a *deferred.Attempt) (string, error) {
		in, err := a.Input()
		got <- string(in.Data)
		return `1`, err
	}})
	r.must(r.queue.Open("late").AddCallback(r.ctx, named("size", "size")))
	if in := <-got; in != sizable {
		r.Errorf("a callback was given %d bytes, want %d", len(in), len(sizable))
	}
}

func smallIsCopied(r *rig) {
	for _, id := range r.takers(`"x"`) {
		r.gives(id, `"x"`)
		if rec := r.record(id); rec.ResultOf != "" || rec.Result.IsZero() {
			r.Errorf("%s refers to %q", id, rec.ResultOf)
		}
	}
}

// A list of many is read at once if it can be, large as it is.
func smallList(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(`"` + strings.Repeat("x", 200) + `"`)})
	j := deferred.Call{ID: "list", Name: "all", Join: &deferred.Join{Mode: deferred.JoinAll}}
	for i := range 100 {
		id := deferred.ID(fmt.Sprintf("m%d", i))
		r.submit(named("greet", id))
		j.Join.Members = append(j.Join.Members, id)
	}
	r.submit(j)
	if got := len(r.await("list", deferred.Succeeded).Result.Data); got < 20_000 {
		r.Errorf("%d bytes", got)
	}
	if rec := r.record("list"); rec.ResultOf != "" {
		r.Error("small results are referred to")
	}
}

func lateCommandIsTold(r *rig) {
	r.takers(sizable)
	r.gives("adopter", sizable)
	var late *deferred.SettledError
	if err := r.queue.Open("adopter").Cancel(r.ctx, "no"); !errors.As(err, &late) || string(late.Outcome.Result.Data) != sizable {
		r.Errorf("cancelled too late: %.200v", err)
	}
}

func inputIsGone(r *rig) {
	r.takers(sizable)
	r.gives("any", sizable)
	r.must(r.queue.Open("race").AddCallback(r.ctx, named("nobody", "c"))) // keeps what it needs
	r.becomesEmpty(driver.Later)
	gone := driver.Write{Key: driver.Key{Space: driver.Records, Name: "p"}, Expect: driver.Unconditional, Delete: true}
	if err := r.pair.Store.Write(r.ctx, []driver.Write{gone})[0].Err; err != nil {
		r.Fatal(err)
	}
	if _, err := r.queue.Await(r.ctx, "race"); !errors.Is(err, deferred.ErrNotFound) {
		r.Errorf("the result that is gone is awaited with %v", err)
	}
	counted := &writesTo{Store: r.pair.Store, space: driver.Records}
	r.queue = r.over(counted, r.pair.Broker)
	r.perform(map[string]handler{"nobody": succeeds(`1`)})
	r.failsWith("c", deferred.KindNoInput)
	if n := counted.n.Load(); n > 40 {
		r.Errorf("%d writes until it had failed", n)
	}
}

// blindReads cannot read a record for a while.
type blindReads struct {
	driver.Store
	id    string
	blind atomic.Bool
}

func (s *blindReads) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if s.blind.Load() && len(keys) == 1 && keys[0].Name == s.id {
		return nil, errOnce
	}
	return s.Store.Read(ctx, keys)
}

func (s *blindReads) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if s.blind.Load() && len(keys) == 1 && keys[0].Name == s.id {
		return nil, errOnce
	}
	return s.Store.ReadLatest(ctx, keys)
}

func inputIsRead(r *rig) {
	r.takers(sizable)
	r.gives("race", sizable)
	r.must(r.queue.Open("race").AddCallback(r.ctx, named("nobody", "c")))
	r.becomesEmpty(driver.Later)
	counted := &writesTo{Store: r.pair.Store, space: driver.Records}
	blind := &blindReads{Store: counted, id: "p"}
	blind.blind.Store(true)
	r.drive(r.join(r.over(blind, r.pair.Broker), "unused"), map[string]handler{"nobody": succeeds(`"ran"`)})
	r.pass(r.beyond())
	blind.blind.Store(false)
	r.gives("c", `"ran"`)
	if n := counted.n.Load(); n > 100 {
		r.Errorf("%d writes until it could be read", n)
	}
}

func checkpointGarbage(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	garbage := driver.Write{Key: driver.Key{Space: driver.Notes, Name: "a.checkpoint"}, Value: []byte("17%"), Expect: driver.Unconditional}
	if err := r.pair.Store.Write(r.ctx, []driver.Write{garbage})[0].Err; err != nil {
		r.Fatal(err)
	}
	w.fail(a, deferred.RetryAfter(time.Millisecond, errors.New("again")))
	a = w.claim()
	if len(a.Checkpoint) > 0 {
		r.Errorf("the second attempt was handed %s", a.Checkpoint)
	}
	w.succeed(a)
	r.await("a", deferred.Succeeded)
}
