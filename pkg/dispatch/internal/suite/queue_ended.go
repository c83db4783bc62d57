package suite

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// endedCases are of attempts that end otherwise than their handler wanted.
var endedCases = []rigCase{
	{"CancelSaysWhichAttemptItEnded", cancelNamesTheAttempt},
	{"DeadlineSaysWhichAttemptItEnded", deadlineNamesTheAttempt},
	{"PoisonSaysWhichAttemptWasTheLast", poisonNamesTheAttempt},
	{"WhatEndsNoAttemptNamesNone", noAttemptIsNamed},
	{"AdoptionOfWhatHasNoGoodIDFails", adoptBadID},
	{"CallThatIsKeptForAFractionOfASecondSettles", keepFraction},
}

// ofAttempt fails the test unless a failure is of this attempt of this worker.
func (r *rig) ofAttempt(id deferred.ID, want deferred.State, attempt int, worker string) {
	r.Helper()
	if f := r.await(id, want).Failure; f == nil || f.Attempt != attempt || f.Worker != worker {
		r.Errorf("%s ended by %+v, want it of attempt %d of %q", id, f, attempt, worker)
	}
}

// The giver writes the one record, and a worker the other.
func cancelNamesTheAttempt(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"), greeting("b"))
	attempts := []*deferred.Attempt{w.claim(), w.claim()}
	r.cancel("a", "not needed")
	r.say(deferred.Cancel, "b", "not needed")
	r.ofAttempt("a", deferred.Cancelled, 1, "worker")
	r.ofAttempt("b", deferred.Cancelled, 1, "worker")
	for _, a := range attempts {
		if err := w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Succeeded}); !errors.Is(err, deferred.ErrLost) {
			r.Errorf("its outcome was answered with %v", err)
		}
	}
}

func deadlineNamesTheAttempt(r *rig) {
	w := r.join(r.queue, "greet")
	c := greeting("a")
	c.Deadline = time.Now().Add(2 * time.Second)
	r.submit(c)
	w.fail(w.claim(), deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	a := w.claim()
	r.ofAttempt("a", deferred.Expired, 2, "worker")
	if err := w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Succeeded}); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("its outcome was answered with %v", err)
	}
}

// Of a worker that is dead nobody knows the name.
func poisonNamesTheAttempt(r *rig) {
	r.submit(greeting("a"))
	r.died("a", 2)
	w := r.join(r.queue, "greet")
	for range 2 { // it has to watch for a while before it judges anybody dead
		w.idle(r.beyond() / 2)
	}
	r.ofAttempt("a", deferred.Failed, 3, "")
}

func noAttemptIsNamed(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	w.fail(w.claim(), deferred.RetryAfter(time.Hour, errors.New("again")))
	r.cancel("a", "")
	r.ofAttempt("a", deferred.Cancelled, 0, "")
}

func adoptBadID(r *rig) {
	r.perform(map[string]handler{
		"none":    func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(nil) },
		"empty":   func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("")) },
		"illegal": func(*deferred.Attempt) (string, error) { return "", deferred.Adopt(r.queue.Open("order 7")) },
	})
	w := r.join(r.queue, "direct")
	for _, name := range []string{"none", "empty", "illegal"} {
		c := named(name, deferred.ID(name))
		c.Retries = 5
		r.submit(c)
		r.failsWith(c.ID, deferred.KindError)
	}
	r.submit(named("direct", "d")) // by a worker that has checked nothing
	if err := w.feed.Settle(r.ctx, w.claim(), deferred.Outcome{State: deferred.Waiting, Adopt: "a.b"}); err != nil {
		r.Fatal(err)
	}
	r.failsWith("d", deferred.KindError)
	r.becomesEmpty(driver.Ready)
}

// A store counts whole seconds.
func keepFraction(r *rig) {
	w := r.join(r.queue, "greet")
	for id, fail := range map[deferred.ID]bool{"good": false, "bad": true} {
		c := greeting(id)
		c.Keep = 90*time.Second + 500*time.Millisecond
		r.submit(c)
		if a := w.claim(); fail {
			w.fail(a, deferred.Permanent(errors.New("no")))
		} else {
			w.succeed(a)
		}
	}
	r.becomesEmpty(driver.Ready)
}
