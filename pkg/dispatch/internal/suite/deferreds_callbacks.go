package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// Who adds is a worker too, of another name: it keeps house, and must neither
// take the call nor perform it. The calls wait until a worker of their name comes.
func adderNeverPerforms(r *rig) {
	adder := r.join(r.over(r.pair.Store, r.pair.Broker), "greet")
	r.submit(greeting("p"))
	p := r.queue.Open("p")
	ids := []deferred.ID{"before", "while", "after"}
	r.must(p.AddBoth(r.ctx, named("mend", "before")))
	a := adder.claim()
	r.must(p.AddBoth(r.ctx, named("mend", "while")))
	adder.succeed(a)
	r.must(p.AddBoth(r.ctx, named("mend", "after")))
	for _, id := range ids {
		r.becomes(id, deferred.Pending)
	}
	adder.idle(r.pair.Lease / 2)
	for _, id := range ids {
		if rec, err := r.queue.Record(r.ctx, id); err != nil || rec.State.Settled() || rec.Attempt != 0 {
			r.Errorf("%s is %s after %d attempts (%v), with no worker of its name", id, rec.State, rec.Attempt, err)
		}
	}
	ran := make(chan string, len(ids))
	feed, err := r.queue.Join(r.ctx, deferred.Worker{Name: "runner", Incarnation: "runner"})
	if err != nil {
		r.Fatal(err)
	}
	runner := &hand{rig: r, feed: feed}
	r.hands = append(r.hands, runner)
	r.drive(runner, map[string]handler{"mend": func(*deferred.Attempt) (string, error) {
		ran <- string(debug.Stack())
		return `1`, nil
	}})
	for _, id := range ids {
		if rec := r.await(id, deferred.Succeeded); rec.Token.Worker != "runner" || rec.Attempt != 1 {
			r.Errorf("%s: attempt %d of worker %q", id, rec.Attempt, rec.Token.Worker)
		}
		if stack := <-ran; strings.Contains(stack, "(*Deferred)") {
			r.Errorf("it ran below its adder:\n%s", stack)
		}
	}
}

// A tree of three levels, of which two travel with the call and the third is added.
func callbackOfACallback(r *rig) {
	c := named("add", "p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "add", Callbacks: []deferred.Callback{
		{On: deferred.OnSuccess, Call: deferred.Call{Name: "add"}},
		{On: deferred.OnBoth, Call: deferred.Call{Name: "add"}},
	}}}}
	r.submit(c)
	second := deferred.ChildID("p", 0)
	third, beside := deferred.ChildID(second, 0), deferred.ChildID(second, 1)
	r.must(r.queue.Open(third).AddCallback(r.ctx, named("add", "fourth")))
	r.must(r.queue.Open("fourth").AddBoth(r.ctx, named("add", "fifth")))
	r.perform(map[string]handler{"add": func(a *deferred.Attempt) (string, error) {
		n := 0
		if a.Parent != nil {
			if err := a.Parent.Outcome.Result.Decode(&n); err != nil {
				return "", err
			}
		}
		data, err := json.Marshal(n + 1)
		return string(data), err
	}})
	for id, want := range map[deferred.ID]string{"p": `1`, second: `2`, third: `3`, beside: `3`, "fourth": `4`, "fifth": `5`} {
		r.gives(id, want)
	}
}

// meddler has something done right before a chosen write, once: so it falls
// between the reading of the record and its writing.
type meddler struct {
	driver.Store
	before func(*deferred.Record) bool
	meddle func()
	once   sync.Once
}

func (s *meddler) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	for _, w := range writes {
		var rec deferred.Record
		if w.Space == driver.Records && rec.UnmarshalJSON(w.Value) == nil && s.before(&rec) {
			s.once.Do(s.meddle)
		}
	}
	return s.Store.Write(ctx, writes)
}

// meddled is a case in which a callback is added to p, and is known to p's
// record, in the moment before a chosen write of the worker that performs p and
// its own callback. It must run once, and p be kept until it has.
func meddled(r *rig, before func(*deferred.Record) bool) {
	spy := &ttls{Store: r.pair.Store, last: map[string]time.Duration{}}
	r.queue = r.over(spy, r.pair.Broker)
	r.join(r.queue, "nothing") // keeps house while the other one stands still
	came := false
	s := &meddler{Store: spy, before: before, meddle: func() {
		came = true
		r.must(r.queue.Open("p").AddBoth(r.ctx, named("mend", "late")))
		r.attached("p", "late")
	}}
	w := r.join(r.over(s, r.pair.Broker), "greet")
	c := greeting("p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	r.submit(c)
	w.succeed(w.claim())
	w.succeed(w.claim())
	if !came {
		r.Fatal("the write never came")
	}
	if ttl := spy.of("p"); ttl != 0 {
		r.Errorf("the parent may be forgotten in %v, and a callback has not run", ttl)
	}
	m := r.join(r.queue, "mend")
	late := m.claim()
	if got := string(late.Parent.Outcome.Result.Data); late.ID != "late" || got != `"done"` {
		r.Errorf("%s was given %s", late.ID, got)
	}
	m.succeed(late)
	r.await("late", deferred.Succeeded)
	drivertest.Eventually(r.T, "the parent may be forgotten in the end", func() bool { return spy.of("p") > 0 })
	m.idle(r.pair.Lease / 2)
}

func addedInTheCommit(r *rig) {
	meddled(r, func(rec *deferred.Record) bool { return rec.ID == "p" && rec.State == deferred.Succeeded })
}

func addedAtTheLast(r *rig) {
	meddled(r, func(rec *deferred.Record) bool {
		last := rec.Attached(deferred.ChildID("p", 0))
		return rec.ID == "p" && last != nil && last.Settled
	})
}

// The parent settles between the look at it and the note that the callback waits.
// Nobody is told then, so whoever has written the note must put the callback into
// its lane, and the record must say so: else it could not be held any more.
func addedUnnoticed(r *rig) {
	s := &meddler{Store: r.pair.Store, before: func(rec *deferred.Record) bool {
		return rec.ID == "late" && rec.State == deferred.Waiting
	}}
	w := r.join(r.over(s, r.pair.Broker), "greet")
	r.submit(greeting("p"))
	a := w.claim()
	s.meddle = func() { w.succeed(a) }
	late := named("mend", "late")
	late.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "mend"}}}
	r.must(r.queue.Open("p").AddCallback(r.ctx, late))
	r.await("p", deferred.Succeeded)
	r.becomes("late", deferred.Pending)
	r.holds("late")
	m := r.join(r.queue, "mend")
	m.idle(r.pair.Lease / 2)
	r.releases("late")
	m.succeed(m.claim())
	m.succeed(m.claim())
	r.await(deferred.ChildID("late", 0), deferred.Succeeded)
}

// What is passed on is the whole outcome: state, and the failure to the letter.
func passesFailureUnchanged(r *rig) {
	failure := func(*deferred.Attempt) (string, error) {
		return "", deferred.Permanent(&deferred.Failure{Kind: "odd", Message: "so it is", Chain: []deferred.Cause{{Kind: "inner", Message: "why"}}})
	}
	r.perform(map[string]handler{"bad": failure})
	r.submit(named("bad", "failed"), named("nobody", "cancelled"))
	expired := named("nobody", "expired")
	expired.Deadline = time.Now().Add(time.Second)
	r.submit(expired)
	r.cancel("cancelled", "not needed")
	for _, id := range []deferred.ID{"failed", "cancelled", "expired"} {
		c := r.must(r.queue.Open(id).AddCallback(r.ctx, named("nobody", "")))
		cc := r.must(c.AddCallback(r.ctx, named("nobody", "")))
		parent := r.await(id, deferred.State(id))
		for _, passed := range []*deferred.Deferred{c, cc} {
			rec := r.await(passed.ID(), deferred.State(id))
			if !reflect.DeepEqual(rec.Failure, parent.Failure) || !rec.Result.IsZero() || rec.Attempt != 0 || !rec.Skipped {
				r.Errorf("%s was passed on as %+v after %d attempts, want %+v", id, rec.Failure, rec.Attempt, parent.Failure)
			}
		}
	}
}

// Bytes stay bytes, nothing stays nothing, and a list of one stays a list of one.
func passesValueUnchanged(r *rig) {
	for id, want := range map[deferred.ID]deferred.Content{
		"bytes": {Type: deferred.TypeBytes, Data: []byte{0, 1, 0xff}}, "nothing": {}, "list": deferred.JSON([]byte(`["x"]`)), "text": deferred.JSON([]byte(`"failed"`)),
	} {
		w := r.join(r.queue, string(id))
		r.submit(named(string(id), id))
		e := r.must(r.queue.Open(id).AddErrback(r.ctx, named("nobody", "")))
		ee := r.must(e.AddErrback(r.ctx, named("nobody", "")))
		if err := w.feed.Settle(r.ctx, w.claim(), deferred.Outcome{State: deferred.Succeeded, Result: want}); err != nil {
			r.Fatal(err)
		}
		parent := r.await(id, deferred.Succeeded)
		for _, passed := range []*deferred.Deferred{e, ee} {
			rec := r.await(passed.ID(), deferred.Succeeded)
			if rec.Result.Type != parent.Result.Type || !bytes.Equal(rec.Result.Data, want.Data) || rec.Failure != nil || !rec.Skipped {
				r.Errorf("%s was passed on as %s %q (%v)", id, rec.Result.Type, rec.Result.Data, rec.Failure)
			}
		}
	}
}
