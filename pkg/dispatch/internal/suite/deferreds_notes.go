package suite

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver/drivertest"
)

// A handler and a caller ask and answer each other while the call runs, and
// either may come first.
func notesBothWays(r *rig) {
	r.perform(map[string]handler{"greet": func(a *deferred.Attempt) (string, error) {
		self := deferred.Open(a.Ledger, a.ID)
		short, cancel := context.WithTimeout(r.ctx, 50*time.Millisecond)
		defer cancel()
		if n, err := self.AwaitAnnotation(short, "answer", nil); !errors.Is(err, context.DeadlineExceeded) {
			r.Errorf("before it was asked, the caller has answered %s (%v)", n.Value, err)
		}
		if err := self.Annotate(r.ctx, "question", "how many?"); err != nil {
			return "", err
		}
		n, err := self.AwaitAnnotation(r.ctx, "answer", nil)
		if err != nil {
			return "", err
		}
		if err := self.Annotate(r.ctx, "thanks", true); err != nil {
			return "", err
		}
		return string(n.Value), nil
	}})
	d := r.queue.Open("a")
	asked := make(chan error, 1)
	go func() { // it waits before anything is known of the call
		n, err := d.AwaitAnnotation(r.ctx, "question", nil)
		if err == nil && (string(n.Value) != `"how many?"` || n.Attempt != 1 || n.Worker == "") {
			err = errors.New("the question is " + string(n.Value) + " of worker " + n.Worker)
		}
		asked <- err
	}()
	r.submit(named("greet", "a"))
	if err := <-asked; err != nil {
		r.Fatal(err)
	}
	if err := d.Annotate(r.ctx, "answer", 7); err != nil {
		r.Fatal(err)
	}
	r.ends("a", `succeeded 7`)
	if n, err := d.AwaitAnnotation(r.ctx, "thanks", nil); err != nil || string(n.Value) != `true` {
		r.Errorf("afterwards it reads %s (%v)", n.Value, err)
	}
}

// Only a value that is taken ends the waiting, and the end of the context does;
// its error is that of the context, or the cause that was given.
func noteTimeout(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	d := r.queue.Open("a")
	for key, value := range map[string]int{"k": 1, "other": 2} {
		if err := d.Annotate(r.ctx, key, value); err != nil {
			r.Fatal(err)
		}
	}
	two := func(n deferred.Note) bool { return string(n.Value) == `2` }
	if n, err := d.AwaitAnnotation(r.ctx, "other", two); err != nil || string(n.Value) != `2` { // it is there already
		r.Errorf("got %s (%v)", n.Value, err)
	}
	short, cancel := context.WithTimeout(r.ctx, 50*time.Millisecond)
	defer cancel()
	for range 2 { // the second time it has ended before
		if n, err := d.AwaitAnnotation(short, "k", two); !errors.Is(err, context.DeadlineExceeded) {
			r.Errorf("waited for k to be 2, and got %s (%v)", n.Value, err)
		}
	}
	why := errors.New("no time")
	ended, end := context.WithCancelCause(r.ctx)
	end(why)
	if n, err := d.AwaitAnnotation(ended, "k", two); !errors.Is(err, why) && !errors.Is(err, context.Canceled) {
		r.Errorf("got %s (%v)", n.Value, err)
	}
	w.succeed(a)
	var settled *deferred.SettledError
	if n, err := d.AwaitAnnotation(r.ctx, "k", two); !errors.As(err, &settled) || settled.State != deferred.Succeeded {
		r.Errorf("of what has settled it got %s (%v)", n.Value, err)
	}
}

// Anybody may write on what has settled, also for the first time.
func noteOnFinished(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	r.notes(a, "k", `1`)
	w.succeed(a)
	for key, value := range map[string]string{"k": "checked", "new": "by hand"} {
		if err := r.over(r.pair.Store, r.pair.Broker).Open("a").Annotate(r.ctx, key, value); err != nil {
			r.Errorf("%s: %v", key, err)
		}
	}
	r.noted("a", map[string]string{"k": `"checked"`, "new": `"by hand"`}, false)
	if rec := r.await("a", deferred.Succeeded); string(rec.Result.Data) != `"done"` {
		r.Errorf("the result is %s now", rec.Result.Data)
	}
	if n, err := r.queue.Open("a").AwaitAnnotation(r.ctx, "k", nil); err != nil || string(n.Value) != `"checked"` || n.Attempt != 1 {
		r.Errorf("read %+v (%v)", n, err)
	}
	r.submit(named("nobody", "gone"))
	r.cancel("gone", "")
	if err := r.queue.Open("gone").Annotate(r.ctx, "k", 1); err != nil {
		r.Errorf("what was cancelled: %v", err)
	}
}

// An attempt that was followed by another does not write over what that one
// wrote; what only it has written is shown as past.
func oldNoteOnFinished(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	old := w.claim()
	r.notes(old, "early", `1`)
	w.fail(old, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	a := w.claim()
	r.notes(a, "k", `2`)
	w.succeed(a)
	if err := old.Ledger.Annotate(r.ctx, "a", deferred.Note{Key: "k", Value: []byte(`1`)}); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("the older attempt was answered with %v", err)
	}
	values := map[string]string{}
	for n, err := range r.queue.Annotations(r.ctx, "a") {
		if err != nil || n.Past != (n.Attempt == 1) {
			r.Errorf("read %+v (%v)", n, err)
		}
		values[n.Key] = string(n.Value)
	}
	if want := map[string]string{"early": `1`, "k": `2`}; !maps.Equal(values, want) {
		r.Errorf("the annotations are %v, want %v", values, want)
	}
}

// notes has an attempt write an annotation.
func (r *rig) notes(a *deferred.Attempt, key, value string) {
	r.Helper()
	if err := a.Ledger.Annotate(r.ctx, a.ID, deferred.Note{Key: key, Value: json.RawMessage(value)}); err != nil {
		r.Fatal(err)
	}
}

// noted reads the annotations of a deferred.
func (r *rig) noted(id deferred.ID, want map[string]string, past bool) {
	r.Helper()
	n := 0
	for note, err := range r.queue.Annotations(r.ctx, id) {
		n++
		if err != nil || string(note.Value) != want[note.Key] || note.Past != past {
			r.Errorf("%s has %s = %s, past %t (%v)", id, note.Key, note.Value, note.Past, err)
		}
	}
	if n != len(want) {
		r.Errorf("%s has %d annotations, want %d", id, n, len(want))
	}
}

// What a list counts as pending is what a worker of the name is then given: no
// more than that, and not what is held, scheduled, cancelled, or of another name.
func pendingIsTaken(r *rig) {
	house := r.join(r.queue, "first")
	withChild := named("first", "parent")
	withChild.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	r.submit(withChild)
	house.succeed(house.claim())
	later, elsewhere := greeting("later"), greeting("elsewhere")
	later.Delay, elsewhere.Queue = time.Hour, "other"
	r.submit(greeting("a"), greeting("b"), greeting("held"), greeting("gone"), later, elsewhere, named("other", "other"))
	r.holds("held")
	r.cancel("gone", "")
	r.must(r.queue.Open("a").AddCallback(r.ctx, named("greet", "waiting")))
	r.waits("waiting", "a")
	greetings := dispatch.Filter{States: []deferred.State{deferred.Pending}, Name: "greet", Queue: deferred.DefaultQueue}
	counted := map[deferred.ID]bool{}
	drivertest.Eventually(r.T, "three calls are counted", func() bool {
		clear(counted)
		for rec, err := range r.queue.List(r.ctx, greetings) {
			if err != nil {
				r.Fatal(err)
			}
			counted[rec.ID] = true
		}
		return len(counted) == 3
	})
	w := r.join(r.queue, "greet")
	for range 3 {
		a := w.claim()
		if !counted[a.ID] {
			r.Errorf("%s was given, and not counted", a.ID)
		}
		delete(counted, a.ID)
	}
	w.idle(r.pair.Lease / 2)
	if len(counted) > 0 {
		r.Errorf("counted and not given: %v", counted)
	}
}
