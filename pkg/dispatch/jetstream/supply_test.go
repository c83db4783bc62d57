package jetstream_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"zasync/pkg/dispatch/jetstream"
)

// What lies in a buffer of one worker must not wait there for its lease to end,
// which is long here.
func TestWhatWasNotTakenGoesBackWhenLessIsWanted(t *testing.T) {
	p := claim(t)
	p.config.Lease = time.Hour
	p.open(t)
	for i := range 5 {
		put(t, p.broker, call(greet, strconv.Itoa(i)))
	}
	first := subscribe(t, p.broker, 5, greet)
	next(t, first)
	for pending := 0; pending < 5; { // all are there, and one of them is taken
		c, err := p.js.Consumer(patiently(t), p.stream("QUEUE"), "default+greet")
		if err != nil {
			t.Fatal(err)
		}
		pending = c.CachedInfo().NumAckPending
	}
	first.Want(greet, 2)
	second := subscribe(t, p.broker, 5, greet)
	for range 3 {
		next(t, second)
	}
	next(t, first) // the one that it may still have
}

func TestNextEndsWithTheConnection(t *testing.T) {
	p := settle(t)
	sub := subscribe(t, p.broker, 1, greet)
	p.nc.Close()
	if d, err := sub.Next(patiently(t)); !errors.Is(err, jetstream.ErrClosed) {
		t.Fatalf("got %+v, %v, want ErrClosed", d, err)
	}
}

// Idle lanes have a request out each, so together they may bring more than the
// credit. The lease is long: what is beyond must go back at once.
func TestMessageBeyondTheCreditGoesToAnotherWorker(t *testing.T) {
	p := claim(t)
	p.config.Lease = time.Hour
	p.open(t)
	a, b := laneOf(1), laneOf(2)
	first := subscribe(t, p.broker, 1, a, b)
	p.waiting(t, "default+lane1", true)
	p.waiting(t, "default+lane2", true)
	put(t, p.broker, call(a, "a"), call(b, "b"))
	held := next(t, first)
	other := next(t, subscribe(t, p.broker, 1, a, b))
	if held.ID == other.ID {
		t.Fatalf("both workers have %q", held.ID)
	}
}

// Requests that a server forgot without a word are asked anew when the connection
// comes back, and not only when their time is over: one of a few tries takes
// less than that.
func TestLanesAreAskedAnewWhenTheConnectionComesBack(t *testing.T) {
	restart, p, l := alone(t)
	sub := subscribe(t, p.broker, 1, greet)
	for try := range 4 {
		p.waiting(t, "default+greet", true)
		l.cut()
		restart()
		l.mend()
		began := time.Now()
		insist(t, p.broker, call(greet, strconv.Itoa(try)))
		d := next(t, sub)
		if time.Since(began) < 8*time.Second {
			return
		}
		done(t, p.broker, d)
		sub.Release(greet, 1)
	}
	t.Fatal("the lane waited for its old request each time")
}
