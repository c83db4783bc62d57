package drivertest

import (
	"strconv"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

var creditTests = []brokerTest{
	{"no more is handed out than is wanted", keepsToCredit},
	{"the ready lanes share their credit", sharesReadyCredit},
	{"each other route has credit of its own", separatesCredit},
	{"a lane that is wanted no longer is silent", silencesLanes},
	{"two subscriptions share a lane", sharesLanes},
	{"what was not taken goes back when the subscription closes", closesSupplies},
	{"each of many lanes is served", servesManyLanes},
	{"a backlog in one lane does not keep the others waiting", servesBesideBacklog},
	{"a delivery tells how many wait behind it", reportsBacklog},
}

// numbered puts n calls into a lane.
func (b bench) numbered(l driver.Lane, n int) {
	b.t.Helper()
	for i := range n {
		b.put(call(l, deferred.ID(l.Name+strconv.Itoa(i))))
	}
}

func lane(name string) driver.Lane {
	return driver.Lane{Route: driver.Ready, Queue: "default", Name: name}
}

// keepsToCredit settles what it takes: a credit is given by Release alone.
func keepsToCredit(_ *testing.T, b bench) {
	b.numbered(greet, 6)
	sub := b.subscribe(2, greet)
	b.done(sub.take())
	b.done(sub.take())
	sub.nothing("the credit of 2 is used up")
	sub.Release(greet, 1)
	b.done(sub.take())
	sub.nothing("one credit was released, and is used up")
	sub.Want(greet, 3)
	b.done(sub.take())
	sub.nothing("one credit was added, and is used up")
	sub.Release(greet, 2)
	b.done(sub.take())
	b.done(sub.take())
}

func sharesReadyCredit(_ *testing.T, b bench) {
	b.numbered(lane("a"), 3)
	b.numbered(lane("b"), 3)
	sub := b.subscribe(2, lane("a"), lane("b"))
	b.done(sub.take())
	last := sub.take()
	b.done(last)
	sub.nothing("both lanes share a credit of 2")
	other := lane("a")
	if last.Name == "a" {
		other = lane("b")
	}
	sub.Release(other, 1) // of the group, whichever lane it came from
	b.done(sub.take())
	sub.nothing("one credit was released, and is used up")
}

func separatesCredit(t *testing.T, b bench) {
	b.numbered(greet, 2)
	sub := b.subscribe(1, greet, later, commands, due)
	b.done(sub.take())
	for _, l := range []driver.Lane{later, commands, due} {
		m := call(l, "x")
		if l == due {
			m = call(driver.Lane{Route: driver.Delay}, "x")
		}
		b.put(m, another(m))
		d := sub.take()
		if d.Lane() != l {
			t.Fatalf("delivery is from %+v, want %+v", d.Lane(), l)
		}
		b.done(d)
		sub.nothing("the credit of " + string(l.Route) + " is used up")
	}
	sub.Release(due, 1)
	if d := sub.take(); d.Lane() != due {
		t.Fatalf("delivery is from %+v, want %+v", d.Lane(), due)
	}
}

// another is a message of the same kind under another id.
func another(m driver.Message) driver.Message {
	m.ID += "2"
	return m
}

func silencesLanes(t *testing.T, b bench) {
	sub := b.subscribe(5, lane("a"), lane("b"))
	b.numbered(lane("a"), 1)
	sub.finish()
	sub.Want(lane("a"), 0)
	b.put(call(lane("a"), "x"))
	sub.nothing("the lane is not wanted any more")
	b.put(call(lane("b"), "y"))
	carries(t, sub.finish(), call(lane("b"), "y"))
	sub.Want(lane("a"), 5)
	carries(t, sub.finish(), call(lane("a"), "x"))
}

func sharesLanes(t *testing.T, b bench) {
	first, second := b.subscribe(3, greet), b.subscribe(3, greet)
	b.numbered(greet, 6)
	seen := map[deferred.ID]bool{}
	for range 3 {
		for _, sub := range []supply{first, second} {
			d := sub.take()
			b.done(d)
			seen[d.ID] = true
		}
	}
	if len(seen) != 6 {
		t.Fatalf("two subscriptions saw %d of 6 messages: %v", len(seen), seen)
	}
}

func closesSupplies(t *testing.T, b bench) {
	conclusively(t, "what was not taken comes before the lease ends", func() bool {
		first := b.subscribe(10, greet)
		began := time.Now()
		b.numbered(greet, 5)
		held := first.take()
		b.done(held)
		if err := first.Close(); err != nil {
			t.Fatalf("close: %v", err)
		}
		second := b.subscribe(10, greet)
		seen := map[deferred.ID]bool{held.ID: true}
		for range 4 {
			d := second.take()
			b.done(d)
			seen[d.ID] = true
		}
		inTime := time.Since(began) < b.lease
		if len(seen) != 5 && inTime {
			t.Fatalf("of 5 messages %d were seen: %v", len(seen), seen)
		}
		_ = second.Close()
		return inTime
	})
}

func servesManyLanes(t *testing.T, b bench) {
	sub := b.subscribe(0)
	for i := range 20 {
		l := lane("lane" + strconv.Itoa(i) + "-")
		b.numbered(l, 5)
		sub.Want(l, 3)
	}
	served := map[driver.Lane]map[deferred.ID]bool{}
	for came := 0; came < 100; { // a message may come twice: its lease may end on a slow machine
		d := sub.finish()
		if served[d.Lane()] == nil {
			served[d.Lane()] = map[deferred.ID]bool{}
		}
		if !served[d.Lane()][d.ID] {
			served[d.Lane()][d.ID] = true
			came++
		}
	}
	for l, ids := range served {
		if len(ids) != 5 {
			t.Errorf("%s was served with %d messages, want 5", l.Name, len(ids))
		}
	}
	if len(served) != 20 {
		t.Errorf("%d lanes were served, want 20", len(served))
	}
}

func servesBesideBacklog(t *testing.T, b bench) {
	const backlog = 5000 // takes longer than it takes to open ten lanes
	sub := b.subscribe(0)
	b.numbered(lane("busy"), backlog)
	sub.Want(lane("busy"), 2)
	for i := range 10 {
		b.numbered(lane("calm"+strconv.Itoa(i)), 1)
		sub.Want(lane("calm"+strconv.Itoa(i)), 2)
	}
	busy, calm := 0, 0
	for calm < 10 {
		if sub.finish().Name != "busy" {
			calm++
			continue
		}
		if busy++; busy == backlog {
			t.Fatalf("%d lanes waited until the busy one was empty", 10-calm)
		}
	}
}

func reportsBacklog(t *testing.T, b bench) {
	b.numbered(greet, 5)
	b.numbered(lane("other"), 7)
	sub := b.subscribe(1, greet)
	for want := 4; want >= 0; want-- {
		if d := sub.finish(); d.Backlog != want {
			t.Fatalf("%q tells of %d messages behind it, want %d", d.ID, d.Backlog, want)
		}
	}
}
