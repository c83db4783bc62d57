package suite

import (
	"context"
	"errors"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

func greeting(id deferred.ID) deferred.Call {
	return deferred.Call{ID: id, Name: "greet", Args: deferred.JSON([]byte(`"world"`))}
}

// again is a second message of greet's call.
func again(id deferred.ID) driver.Message {
	return driver.Message{
		Route: driver.Ready, Queue: deferred.DefaultQueue, Name: "greet", ID: id,
		Header: map[string]string{wire.HeaderContentType: deferred.TypeJSON}, Body: []byte(`"world"`),
	}
}

func ruleCarrier(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	w.feed.Want(w.lane, 0) // so that the second message goes to the other one
	other := r.join(r.over(r.pair.Store, r.pair.Broker), "greet")
	r.put(again("a"))
	other.idle(2 * time.Second)
	if n := r.pending(driver.Ready); n != 2 {
		r.Errorf("%d messages carry the running call, want 2: each may be the last one some day", n)
	}
	w.succeed(a)
	r.await("a", deferred.Succeeded)
	r.becomesEmpty(driver.Ready)
}

func ruleAnotherCall(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	other := again("a")
	other.Body = []byte(`"moon"`)
	r.put(other)
	drivertest.Eventually(r.T, "the other call is set aside", func() bool { return r.pending(driver.Aside) == 1 })
	w.succeed(a)
	if got := string(r.await("a", deferred.Succeeded).Result.Data); got != `"done"` {
		r.Errorf("result %s", got)
	}
	r.becomesEmpty(driver.Ready)
}

func ruleLivingOwner(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	other := r.join(r.over(r.pair.Store, r.pair.Broker), "greet")
	w.feed.Want(w.lane, 0) // so that the second message goes to the other one
	r.put(again("a"))
	other.idle(r.beyond())
	w.succeed(a)
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 || rec.Counts.Deaths != 0 {
		r.Errorf("attempt %d after %d deaths, want the first one", rec.Attempt, rec.Counts.Deaths)
	}
}

func ruleDeadOwner(r *rig) {
	w, kill := r.joinMortal("greet")
	r.submit(greeting("a"))
	w.claim()
	kill()
	other := r.join(r.queue, "greet")
	a := other.claim()
	if a.Number != 2 {
		r.Errorf("attempt %d, want 2", a.Number)
	}
	other.succeed(a)
	if rec := r.await("a", deferred.Succeeded); rec.Counts.Deaths != 1 || rec.Counts.Failures != 0 {
		r.Errorf("counts %+v, want one death", rec.Counts)
	}
}

// joinMortal joins a worker whose process can be killed.
func (r *rig) joinMortal(name string) (w *hand, kill func()) {
	f := drivertest.NewFaults(r.pair.Store, r.pair.Broker, 0, drivertest.Sound)
	w = r.join(r.over(f.Store(), f.Broker()), name)
	return w, func() { w.dead = true; f.Kill() }
}

func ruleFenceIsToken(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	r.write("a", func(rec *deferred.Record) { rec.Labels = map[string]string{"added": "meanwhile"} })
	w.succeed(a)
	rec := r.await("a", deferred.Succeeded)
	if rec.Attempt != 1 || rec.Labels["added"] != "meanwhile" {
		r.Errorf("attempt %d with labels %v, want the first with what was added", rec.Attempt, rec.Labels)
	}
}

// A worker that stood still comes back when another one performs its call.
func ruleZombie(r *rig) {
	frozen := &freezer{Store: r.pair.Store, Broker: r.pair.Broker}
	w := r.join(r.over(frozenStore{frozen}, frozenBroker{frozen}), "greet")
	r.submit(greeting("a"))
	zombie := w.claim()
	frozen.freeze()
	defer frozen.thaw()
	other := r.join(r.queue, "greet")
	a := other.claim()
	frozen.thaw()
	err := w.feed.Settle(r.ctx, zombie, deferred.Outcome{State: deferred.Succeeded, Result: deferred.JSON([]byte(`"late"`))})
	if !errors.Is(err, deferred.ErrLost) {
		r.Errorf("the late outcome was answered with %v, want ErrLost", err)
	}
	if err := zombie.Ledger.Annotate(r.ctx, "a", deferred.Note{Key: "progress", Value: []byte(`1`)}); err != nil && !errors.Is(err, deferred.ErrLost) {
		r.Errorf("the late annotation: %v", err)
	}
	for n, err := range r.queue.Annotations(r.ctx, "a") {
		if err != nil || !n.Past {
			r.Errorf("annotation %s of attempt %d stands as current (%v)", n.Key, n.Attempt, err)
		}
	}
	if n := r.pending(driver.Ready); n != 1 {
		r.Errorf("%d messages carry the call, want 1: the late worker has no say in it", n)
	}
	other.succeed(a)
	if got := string(r.await("a", deferred.Succeeded).Result.Data); got != `"done"` {
		r.Errorf("result %s, want that of the attempt in force", got)
	}
	r.becomesEmpty(driver.Ready)
}

func ruleReadBack(r *rig) { lostAnswer(r, 2) }

func ruleReadBackClaim(r *rig) { lostAnswer(r, 1) }

// lostAnswer loses an answer of a worker with one call, whose operations are 1
// the claim, 2 the commit and 3 the acknowledgement.
func lostAnswer(r *rig, at int) {
	f := drivertest.NewFaults(r.pair.Store, r.pair.Broker, at, drivertest.LoseStored)
	w := r.join(r.over(f.Store(), f.Broker()), "greet")
	r.submit(greeting("a"))
	w.succeed(w.claim()) // an error of Settle fails the test
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 {
		r.Errorf("attempt %d, want 1", rec.Attempt)
	}
}

func ruleStub(r *rig) {
	r.write("a", func(rec *deferred.Record) { rec.State = deferred.Pending })
	r.submit(greeting("a"))
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
}

// withErrback is a call with a callback on its failure.
func withErrback(id deferred.ID) deferred.Call {
	c := greeting(id)
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Call: deferred.Call{Name: "mend"}}}
	return c
}

func ruleEarlyCancel(r *rig) {
	house := r.join(r.queue, "mend")
	r.put(driver.Message{Route: driver.Commands, Verb: "cancel", ID: "a"})
	r.becomesEmpty(driver.Commands)
	r.submit(withErrback("a"))
	r.join(r.queue, "greet").idle(time.Second)
	house.succeed(house.claim())
	r.await("a", deferred.Cancelled)
	r.await(deferred.ChildID("a", 0), deferred.Succeeded)
}

// Nobody performs greet, so its message is never met: the cancel has to take
// the callbacks out of it.
func ruleCancelTakesTheCallIn(r *rig) {
	r.submit(withErrback("a"))
	house := r.join(r.queue, "mend")
	if err := r.queue.Open("a").Cancel(r.ctx, "not needed"); err != nil {
		r.Fatal(err)
	}
	house.succeed(house.claim())
	r.await(deferred.ChildID("a", 0), deferred.Succeeded)
	if found, err := r.pair.Broker.Find(r.ctx, "a"); err != nil || len(found) != 1 {
		r.Errorf("%d messages carry the cancelled call (%v), want 1: cancel removes none", len(found), err)
	}
	r.join(r.queue, "greet").idle(time.Second)
	r.becomesEmpty(driver.Ready)
}

func ruleCommandFirst(r *rig) {
	// Operations of a canceller: 1 the command, 2 the record.
	f := drivertest.NewFaults(r.pair.Store, r.pair.Broker, 1, drivertest.KillAfter)
	c := withErrback("a")
	c.Delay = time.Hour
	r.submit(c)
	if err := r.over(f.Store(), f.Broker()).Open("a").Cancel(r.ctx, ""); !errors.Is(err, drivertest.ErrKilled) {
		r.Fatalf("the canceller lives: %v", err)
	}
	house := r.join(r.queue, "mend")
	house.succeed(house.claim())
	r.await("a", deferred.Cancelled)
}

func ruleUnknownParent(r *rig) {
	c := greeting("a")
	c.After = &deferred.After{Parent: "nobody", On: deferred.OnSuccess}
	r.submit(c)
	r.join(r.queue, "greet")
	if rec := r.await("a", deferred.Failed); rec.Failure.Kind != deferred.KindParentUnknown {
		r.Errorf("kind %q", rec.Failure.Kind)
	}
	r.becomesEmpty(driver.Ready)
}

func ruleEarlyCallback(r *rig) {
	c := greeting("callback")
	c.After = &deferred.After{Parent: "parent", On: deferred.OnSuccess}
	r.submit(c)
	w := r.join(r.queue, "greet")
	drivertest.Eventually(r.T, "the callback is parked", func() bool { return r.pending(driver.Ready) == 0 })
	r.submit(greeting("parent"))
	parent := w.claim()
	if parent.ID != "parent" {
		r.Fatalf("%s was given before its parent", parent.ID)
	}
	w.succeed(parent)
	w.succeed(w.claim())
	r.await("callback", deferred.Succeeded)
}

func ruleAlarm(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	if err := w.feed.Settle(r.ctx, a, deferred.OutcomeOf(deferred.RetryAfter(time.Hour, errors.New("not yet")))); err != nil {
		r.Fatal(err)
	}
	r.put(again("a"))
	w.idle(2 * time.Second)
	if rec, err := r.queue.Record(r.ctx, "a"); err != nil || rec.State != deferred.Scheduled {
		r.Errorf("state %s (%v), want scheduled", rec.State, err)
	}
	if n := r.pending(driver.Delay); n != 1 {
		r.Errorf("%d schedules carry the retry, want 1", n)
	}
}

func rulePark(r *rig) {
	r.write("a", func(rec *deferred.Record) { rec.State = deferred.Held })
	r.submit(greeting("a"))
	w := r.join(r.queue, "greet")
	w.idle(time.Second)
	drivertest.Eventually(r.T, "the held call is parked", func() bool { return r.pending(driver.Delay)+r.pending(driver.Due) == 1 })
	r.write("a", func(rec *deferred.Record) { rec.State = deferred.Pending }) // and nobody gives a hint
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
}

// ruleRetention looks at the time to live of every write of a record.
func ruleRetention(r *rig) {
	spy := &ttls{Store: r.pair.Store, last: map[string]time.Duration{}}
	r.queue = r.over(spy, r.pair.Broker)
	c := greeting("a")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	child := deferred.ChildID("a", 0)
	r.submit(c)
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	callback := w.claim() // its parent has settled and fired, and is needed for the callback's input
	if ttl := spy.of("a"); ttl != 0 {
		r.Errorf("the parent may be forgotten in %v while its callback runs", ttl)
	}
	w.succeed(callback)
	for _, id := range []deferred.ID{"a", child} {
		if ttl := spy.of(id); ttl != time.Hour {
			r.Errorf("%s is kept for %v after everything settled, want one hour", id, ttl)
		}
	}
	if spy.childFirst {
		r.Error("the callback could be forgotten before its parent knew that it had settled")
	}
}

// ttls remembers how long each record was last written for.
type ttls struct {
	driver.Store
	mu         sync.Mutex
	last       map[string]time.Duration
	childFirst bool
}

func (s *ttls) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	s.mu.Lock()
	for _, w := range writes {
		if w.Space != driver.Records {
			continue
		}
		s.last[w.Name] = w.TTL
		if w.Name != "a" && w.TTL != 0 && s.last["a"] == 0 {
			s.childFirst = true
		}
	}
	s.mu.Unlock()
	return s.Store.Write(ctx, writes)
}

func (s *ttls) of(id deferred.ID) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[string(id)]
}
