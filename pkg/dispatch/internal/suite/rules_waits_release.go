package suite

import (
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// rings are the schedules of a call that were stored, by when they are due.
type rings struct {
	mu  sync.Mutex
	due []driver.Message
}

func (s *rings) stored(m driver.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Route == driver.Delay && m.ID == "a" {
		s.due = append(s.due, m)
	}
}

// now: a schedule was stored that is due already.
func (s *rings) now() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.due {
		if due, err := time.Parse(time.RFC3339Nano, m.Header[wire.HeaderDue]); err == nil &&
			!due.After(time.Now()) && !m.At.IsZero() && !m.At.After(time.Now()) {
			return true
		}
	}
	return false
}

// held has a call that is held, and parked by a worker that has left.
func (r *rig) held() {
	c := greeting("a")
	c.BeginBy = time.Now().Add(time.Hour) // so that it is looked at before it is offered
	r.submit(c)
	if err := r.queue.Open("a").Hold(r.ctx, "wait"); err != nil {
		r.Fatal(err)
	}
	w := r.join(r.over(r.pair.Store, r.pair.Broker), "greet")
	r.becomesEmpty(driver.Ready)
	r.becomesEmpty(driver.Commands)
	w.leaveNow()
}

// Who releases a call has its schedule fire at once: he has written the record, so
// that a worker finds nothing left to do.
func releaseRings(r *rig) {
	var s rings
	r.held()
	q := r.tap(tapped{stored: s.stored})
	if err := q.Open("a").Release(r.ctx); err != nil {
		r.Fatal(err)
	}
	if !s.now() {
		r.Error("the schedule was not told to fire")
	}
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
}

// A worker does the same for one who died when he had given the command.
func releaseRingsForTheDead(r *rig) {
	var s rings
	r.held()
	r.join(r.tap(tapped{stored: s.stored}), "nothing")
	r.put(driver.Message{Route: driver.Commands, Verb: "release", ID: "a"})
	r.becomesEmpty(driver.Commands)
	if rec := r.record("a"); rec.State != deferred.Pending || rec.Obeyed == 0 {
		r.Errorf("it is %s, obeyed %d", rec.State, rec.Obeyed)
	}
	if !s.now() {
		r.Error("the schedule was not told to fire")
	}
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
}

// A call that stands in its lane is released by the record alone: it has no
// schedule that could fire, and needs no second message.
func releaseInItsLane(r *rig) {
	r.submit(greeting("a"))
	d := r.queue.Open("a")
	if err := d.Hold(r.ctx, "wait"); err != nil {
		r.Fatal(err)
	}
	if err := d.Release(r.ctx); err != nil {
		r.Fatal(err)
	}
	if n := r.pending(driver.Delay) + r.pending(driver.Due); n > 0 {
		r.Errorf("%d schedules", n)
	}
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	r.await("a", deferred.Succeeded)
	r.becomesEmpty(driver.Commands)
}
