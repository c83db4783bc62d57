package suite

import (
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

func attachAnyTime(r *rig) {
	var runs atomic.Int64
	gate, begun := make(chan struct{}), make(chan struct{})
	d := r.queue.Open("p")
	add := func(id deferred.ID) { r.must(d.AddCallback(r.ctx, named("mend", id))) }
	r.submit(named("greet", "p"))
	add("before")
	r.perform(map[string]handler{
		"greet": func(*deferred.Attempt) (string, error) { close(begun); <-gate; return `"x"`, nil },
		"mend": func(a *deferred.Attempt) (string, error) {
			runs.Add(1)
			return string(a.Parent.Outcome.Result.Data), nil
		},
	})
	<-begun
	add("while")
	close(gate)
	r.gives("p", `"x"`)
	add("after")
	for _, id := range []deferred.ID{"before", "while", "after"} {
		r.gives(id, `"x"`)
	}
	if n := runs.Load(); n != 3 {
		r.Errorf("%d callbacks ran, want each of three once", n)
	}
}

func attachWithArguments(r *rig) {
	for id, args := range map[deferred.ID]deferred.Content{
		"spaced":  deferred.JSON([]byte(`{"a": 1}`)),
		"charset": {Type: "application/json; charset=utf-8", Data: []byte(`{"a":1}`)},
		"alias":   {Type: "text/json", Data: []byte(`[ "a" ]`)},
		"typed":   {Type: deferred.TypeJSON},
		"bytes":   {Type: deferred.TypeBytes, Data: []byte{}},
	} {
		c := named("mend", id)
		c.Args = args
		r.must(r.queue.Open("p").AddCallback(r.ctx, c))
	}
	r.perform(map[string]handler{
		"greet": succeeds(`"x"`),
		"mend": func(a *deferred.Attempt) (string, error) {
			in, err := a.Input()
			if err != nil {
				return "", err
			}
			text, err := in.JSON()
			return string(text), err
		},
	})
	r.becomesEmpty(driver.Later) // all wait in their records
	r.submit(named("greet", "p"))
	r.gives("spaced", `{"a":1}`)
	r.gives("charset", `{"a":1}`)
	r.gives("alias", `["a"]`)
	r.gives("typed", `"x"`)
	r.gives("bytes", `""`)
}

func errbackRecovers(r *rig) {
	r.submit(named("greet", "p"))
	r.must(r.queue.Open("p").AddErrback(r.ctx, named("mend", "e")))
	r.perform(map[string]handler{"greet": fails("odd"), "mend": succeeds(`"mended"`)})
	r.gives("e", `"mended"`)
}

func errbackPassesOn(r *rig) {
	r.submit(named("greet", "p"))
	c := named("mend", "e")
	c.Retries = 0 // the default: it would be tried again
	r.must(r.queue.Open("p").AddErrback(r.ctx, c))
	r.perform(map[string]handler{"greet": fails("odd"), "mend": func(a *deferred.Attempt) (string, error) { return "", a.Parent.Outcome.Err() }})
	r.failsWith("e", "odd")
	if rec := r.await("e", deferred.Failed); rec.Attempt != 1 || rec.Counts.Failures != 0 {
		r.Errorf("attempt %d, counts %+v: it is no failure of the errback", rec.Attempt, rec.Counts)
	}
}

// The service is down that the call needs, and its errback too.
func errbackFailsAlike(r *rig) {
	r.submit(named("greet", "p"))
	c := named("mend", "e")
	c.Retries = 2
	r.must(r.queue.Open("p").AddErrback(r.ctx, c))
	r.perform(map[string]handler{"greet": fails("down"), "mend": func(*deferred.Attempt) (string, error) {
		return "", deferred.RetryAfter(time.Millisecond, kindError("down"))
	}})
	r.failsWith("e", "down")
	if rec := r.await("e", deferred.Failed); rec.Attempt != 3 || rec.Counts.Failures != 3 || rec.Failure.Attempt != 0 {
		r.Errorf("attempt %d, counts %+v, failure %+v: want a failure of its own at each of 3", rec.Attempt, rec.Counts, rec.Failure)
	}
}

func neighbours(r *rig) {
	r.submit(named("greet", "p"))
	d := r.must(r.queue.Open("p").AddCallbacks(r.ctx, named("bad", ""), named("mend", "")))
	var mended atomic.Int64
	r.perform(map[string]handler{
		"greet": succeeds(`"x"`), "bad": fails("odd"),
		"mend": func(*deferred.Attempt) (string, error) { mended.Add(1); return `"mended"`, nil },
	})
	r.failsWith(d.ID(), "odd")
	if mended.Load() != 0 {
		r.Error("the errback saw the failure of its neighbour")
	}
}

// One that is submitted by itself, after the callback that it stands beside.
func errbackBeside(r *rig) {
	r.perform(map[string]handler{"greet": fails("odd"), "bad": fails("even"), "mend": succeeds(`"mended"`)})
	beside := func(id, callback deferred.ID, kinds ...string) {
		c := named("mend", id)
		c.After = &deferred.After{Parent: callback, On: deferred.OnSkipped, Kinds: kinds}
		r.submit(c)
	}
	beside("early", "callback") // before anything is known of what it follows
	r.submit(named("greet", "p"))
	r.must(r.queue.Open("p").AddCallback(r.ctx, named("bad", "callback")))
	r.must(r.queue.Open("p").AddErrback(r.ctx, named("bad", "runs")))
	beside("late", "callback", "odd")
	beside("of-another-kind", "callback", "even")
	beside("unneeded", "runs")
	r.gives("early", `"mended"`)
	r.gives("late", `"mended"`)
	r.failsWith("of-another-kind", "odd")
	r.failsWith("unneeded", "even")
}

func byKind(r *rig) {
	r.submit(named("greet", "p"))
	r.must(r.queue.Open("p").AddErrback(r.ctx, named("mend", "other"), "even"))
	r.must(r.queue.Open("p").AddErrback(r.ctx, named("mend", "right"), "even", "odd"))
	r.perform(map[string]handler{"greet": fails("odd"), "mend": succeeds(`"mended"`)})
	r.gives("right", `"mended"`)
	r.failsWith("other", "odd")
}

func attachUnknown(r *rig) {
	before := time.Now()
	r.must(r.queue.Open("nobody").AddCallback(r.ctx, named("mend", "c")))
	r.perform(map[string]handler{"mend": succeeds(`1`)})
	r.failsWith("c", deferred.KindParentUnknown)
	if d := time.Since(before); d < 2*time.Second { // the grace is three
		r.Errorf("it failed after %v already", d)
	}
}
