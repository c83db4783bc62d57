package suite

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// lengths is a handler whose result is how long each text is of the list that it
// was called with.
func lengths(a *deferred.Attempt) (string, error) {
	in, err := a.Input()
	if err != nil {
		return "", err
	}
	var texts []string
	if err := json.Unmarshal(in.Data, &texts); err != nil {
		return "", deferred.Permanent(err)
	}
	list := make([]int, len(texts))
	for i, s := range texts {
		list[i] = len(s)
	}
	data, err := json.Marshal(list)
	return string(data), err
}

// A result that is not stored, but made of those of the members, is handed whole
// to all that follows: a callback that travels with the join, one that is added
// before and one that is added after it has settled, also to who has taken the
// join's outcome over.
func largeIsGiven(r *rig) {
	large := `"` + strings.Repeat("x", 100<<10) + `"`
	r.perform(map[string]handler{"large": succeeds(large), "measure": lengths, "one": r.adopts("all")})
	join := deferred.NewJoin(deferred.JoinAll, r.open("a", "b", "c")...)
	join.ID = "all"
	join.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: named("measure", "")}}
	r.submit(join, named("one", "adopter"))
	r.must(r.queue.Open("all").AddCallback(r.ctx, named("measure", "before")))
	r.must(r.queue.Open("adopter").AddCallback(r.ctx, named("measure", "of-adopter")))
	passed := r.must(r.queue.Open("all").AddErrback(r.ctx, named("nobody", "passed")))
	r.must(passed.AddCallback(r.ctx, named("measure", "of-passed")))
	r.waits("adopter", "all")
	r.submit(named("large", "a"), named("large", "b"), named("large", "c"))
	if rec := r.await("all", deferred.Succeeded); len(rec.Result.Data) < 300<<10 {
		r.Errorf("the result has %d bytes, want those of all", len(rec.Result.Data))
	}
	r.must(r.queue.Open("all").AddBoth(r.ctx, named("measure", "after")))
	for _, id := range []deferred.ID{deferred.ChildID("all", 0), "before", "after", "of-adopter", "of-passed"} {
		r.gives(id, `[102400,102400,102400]`)
	}
}

// given is a handler that notes the input of each call, and fails or not.
type given struct {
	mu     sync.Mutex
	inputs map[deferred.ID]string
}

func (g *given) note(a *deferred.Attempt) (string, error) {
	in, err := a.Input()
	if err != nil {
		return "", err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inputs[a.ID] = string(in.Data)
	if a.Lane.Name == "bad" {
		return "", kindError("bad")
	}
	return `"mine"`, nil
}

// All that hang on one deferred are called with its outcome, whatever those
// beside them made of it and whenever they were added.
func siblings(r *rig) {
	g := &given{inputs: map[deferred.ID]string{}}
	r.perform(map[string]handler{"greet": succeeds(`{"n":1}`), "fail": fails("odd"), "good": g.note, "bad": g.note})
	for parent, want := range map[deferred.ID]string{"greet": `{"n":1}`, "fail": `{"kind":"odd","message":"of kind odd"`} {
		c := named(string(parent), parent)
		c.Callbacks = []deferred.Callback{{On: deferred.OnBoth, Call: named("bad", "")}, {On: deferred.OnBoth, Call: named("good", "")}}
		add := func(name string, id deferred.ID) deferred.ID {
			r.must(r.queue.Open(parent).AddBoth(r.ctx, named(name, parent+id)))
			return parent + id
		}
		ids := []deferred.ID{deferred.ChildID(parent, 0), deferred.ChildID(parent, 1), add("good", "-before"), add("bad", "-bad")}
		r.submit(c)
		if _, err := r.queue.Await(r.ctx, parent); err != nil {
			r.Fatal(err)
		}
		for _, id := range append(ids, add("good", "-after")) {
			if _, err := r.queue.Await(r.ctx, id); err != nil {
				r.Fatal(err)
			}
			g.mu.Lock()
			got := g.inputs[id]
			g.mu.Unlock()
			if !strings.HasPrefix(got, want) {
				r.Errorf("%s, a callback of %s, was called with %s, want %s", id, parent, got, want)
			}
		}
	}
}

// Those that travel with a call are chosen by the kind of its failure too, at
// every level, and also after the call has waited in the store for its time.
func byKindOnTheWay(r *rig) {
	errbacks := func() []deferred.Callback {
		return []deferred.Callback{
			{On: deferred.OnFailure, Kinds: []string{"even"}, Call: named("mend", "")},
			{On: deferred.OnFailure, Kinds: []string{"even", "odd"}, Call: named("mend", "")},
			{On: deferred.OnFailure, Kinds: []string{"even"}, Call: deferred.Call{Name: "mend", Callbacks: []deferred.Callback{
				{On: deferred.OnFailure, Kinds: []string{"odd"}, Call: named("mend", "")},
				{On: deferred.OnFailure, Kinds: []string{"even"}, Call: named("mend", "")},
			}}},
		}
	}
	now, later := named("greet", "now"), named("greet", "later")
	now.Callbacks, later.Callbacks, later.Delay = errbacks(), errbacks(), 10*time.Millisecond
	r.perform(map[string]handler{"greet": fails("odd"), "mend": succeeds(`"mended"`)})
	r.submit(now, later)
	for _, parent := range []deferred.ID{"now", "later"} {
		r.failsWith(deferred.ChildID(parent, 0), "odd")
		r.gives(deferred.ChildID(parent, 1), `"mended"`)
		third := deferred.ChildID(parent, 2)
		r.failsWith(third, "odd")
		r.gives(deferred.ChildID(third, 0), `"mended"`)
		r.failsWith(deferred.ChildID(third, 1), "odd")
	}
}

// Whoever adds two lanes may die in between: there must be no in between.
func twoLanesAreOneMessage(r *rig) {
	counted := &puts{Broker: r.pair.Broker}
	r.submit(named("greet", "p"))
	d := r.must(r.over(r.pair.Store, counted).Open("p").AddCallbacks(r.ctx, named("good", ""), named("mend", "")))
	if n := counted.n.Load(); n != 1 {
		r.Errorf("%d messages were put, want one for both lanes", n)
	}
	r.perform(map[string]handler{"greet": fails("odd"), "good": succeeds(`"good"`), "mend": succeeds(`"mended"`)})
	r.gives(d.ID(), `"mended"`)
}

// A callback that was added waits with all its terms, and keeps them.
func termsOfTheLate(r *rig) {
	house := r.join(r.queue, "greet")
	r.submit(greeting("p"))
	p := house.claim()
	late := deferred.Call{
		ID: "late", Name: "follow", Queue: "other", Args: deferred.JSON([]byte(`"own"`)), Labels: map[string]string{"why": "test"},
		Timeout: time.Hour, Keep: 2 * time.Hour, Deadline: time.Now().Add(time.Hour), BeginBy: time.Now().Add(time.Hour / 2),
		Retries: 1,
	}
	r.must(r.queue.Open("p").AddCallback(r.ctx, late))
	never := named("follow", "never")
	r.must(r.queue.Open("p").AddCallback(r.ctx, never))
	r.waits("late", "p")
	r.waits("never", "p")
	house.succeed(p)
	w := r.join(r.queue, "follow")
	w.fail(w.claim(), errors.New("no")) // of one that is not to be tried again
	r.await("never", deferred.Failed)
	w.feed.Want(deferred.Lane{Queue: "other", Name: "follow"}, 10)
	a := w.claim()
	if a.ID != "late" || string(a.Args.Data) != `"own"` || a.Labels["why"] != "test" || a.Timeout != time.Hour || a.Lane.Queue != "other" {
		r.Errorf("%s was given as %+v", a.ID, a)
	}
	w.fail(a, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	w.fail(w.claim(), errors.New("no"))
	rec := r.await("late", deferred.Failed)
	if rec.Attempt != 2 || rec.Keep != 2*time.Hour || !rec.Deadline.Equal(late.Deadline) || !rec.BeginBy.Equal(late.BeginBy) {
		r.Errorf("its record is %+v", rec)
	}
}

// What waits for its parent does not begin after its time, nor wait any longer.
func beginByOfTheLate(r *rig) {
	r.submit(greeting("p"))
	w := r.join(r.queue, "greet")
	a := w.claim()
	late := named("mend", "late")
	late.BeginBy = time.Now().Add(2 * time.Second)
	late.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: named("mend", "")}}
	r.must(r.queue.Open("p").AddCallback(r.ctx, late))
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	r.ends("late", `expired expired: no worker began it by `+late.BeginBy.UTC().Format(time.RFC3339))
	r.gives(deferred.ChildID("late", 0), `"mended"`)
	if err := a.Revoked(); err != nil {
		r.Errorf("the parent was revoked: %v", err)
	}
	w.succeed(a)
	r.ends("p", `succeeded "done"`)
	r.becomesEmpty(driver.Ready)
}
