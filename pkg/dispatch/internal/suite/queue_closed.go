package suite

import (
	"context"
	"errors"
	"sync"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// closedCases are of queues that end, by themselves or with their connection.
var closedCases = []rigCase{
	{"WhatWaitsInAQueueThatIsClosedEnds", closedWhileWaiting},
	{"ClosedQueueRefusesWhatIsAskedOfIt", closedRefuses},
	{"WhatWaitsEndsWithTheErrorOfItsConnection", connectionEnds},
	{"CommandWhoseConnectionEndsIsStored", connectionEndsInACommand},
}

// waiters are all who may wait on a queue, for a promise that nobody settles.
func waiters(r *rig, q *dispatch.Queue) map[string]func() error {
	return map[string]func() error{
		"await": func() error { _, err := q.Await(r.ctx, "p"); return err },
		"watch": func() (last error) {
			for _, err := range q.Watch(r.ctx, "p") {
				last = err
			}
			return last
		},
		"await annotation": func() error { _, err := q.Open("p").AwaitAnnotation(r.ctx, "never", nil); return err },
		"next": func() error {
			w := r.join(q, "never")
			w.dead = true // it has nobody to say goodbye to
			_, err := w.feed.Next(r.ctx)
			return err
		},
	}
}

// endAll has all wait, ends them, and gives how each was ended.
func endAll(r *rig, waiters map[string]func() error, end func()) map[string]error {
	r.Helper()
	var mu sync.Mutex
	errs := map[string]error{}
	var waiting sync.WaitGroup
	for name, wait := range waiters {
		waiting.Go(func() {
			err := wait()
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	end()
	waiting.Wait()
	return errs
}

func closedWhileWaiting(r *rig) {
	r.promise("p")
	counted := &readings{Store: r.pair.Store}
	q := r.over(counted, r.pair.Broker)
	errs := endAll(r, waiters(r, q), func() {
		drivertest.Eventually(r.T, "all watch", func() bool { return counted.watches.Load() >= 3 })
		for range 2 {
			if err := q.Close(); err != nil {
				r.Error(err)
			}
		}
	})
	for name, err := range errs {
		if !errors.Is(err, driver.ErrClosed) {
			r.Errorf("%s ended with %v", name, err)
		}
	}
}

func closedRefuses(r *rig) {
	r.submit(greeting("a"))
	q := r.over(r.pair.Store, r.pair.Broker)
	if err := q.Close(); err != nil {
		r.Fatal(err)
	}
	for name, err := range map[string]error{
		"submit":   func() error { _, err := deferred.SubmitOne(r.ctx, q, greeting("b")); return err }(),
		"record":   func() error { _, err := q.Record(r.ctx, "a"); return err }(),
		"await":    func() error { _, err := q.Await(r.ctx, "a"); return err }(),
		"cancel":   q.Open("a").Cancel(r.ctx, ""),
		"annotate": q.Open("a").Annotate(r.ctx, "k", 1),
		"join":     func() error { _, err := q.Join(r.ctx, deferred.Worker{}); return err }(),
		"list": func() error {
			for _, err := range q.List(r.ctx, dispatch.Filter{}) {
				return err
			}
			return nil
		}(),
	} {
		if !errors.Is(err, driver.ErrClosed) {
			r.Errorf("%s: %v", name, err)
		}
	}
	if rec, err := r.queue.Record(r.ctx, "a"); err != nil || rec.State != deferred.Pending { // another one over the same seams
		r.Errorf("the call is %s (%v)", rec.State, err)
	}
}

func connectionEnds(r *rig) {
	r.promise("p")
	s := &leaving{Store: r.pair.Store, gone: make(chan struct{})}
	q := r.over(s, r.pair.Broker)
	who := waiters(r, q)
	delete(who, "next") // the broker tells it
	errs := endAll(r, who, func() {
		drivertest.Eventually(r.T, "all watch", func() bool { return s.watches.Load() >= 3 })
		s.end()
	})
	for name, err := range errs {
		if !errors.Is(err, driver.ErrClosed) || !errors.Is(err, errGone) {
			r.Errorf("%s ended with %v", name, err)
		}
	}
}

// mute is a store in which nobody may write, so that commands wait for a worker.
type mute struct{ *leaving }

func (s mute) Write(_ context.Context, writes []driver.Write) []driver.Written {
	answers := make([]driver.Written, len(writes))
	for i := range answers {
		answers[i].Err = &driver.PermissionError{Operation: driver.Publish, Subject: writes[i].Name}
	}
	return answers
}

func connectionEndsInACommand(r *rig) {
	r.submit(greeting("a"))
	s := mute{&leaving{Store: r.pair.Store, gone: make(chan struct{})}}
	q := r.over(s, r.pair.Broker)
	errs := endAll(r, map[string]func() error{"cancel": func() error { return q.Open("a").Cancel(r.ctx, "") }}, func() {
		drivertest.Eventually(r.T, "it waits for a worker", func() bool { return s.watches.Load() == 1 })
		s.end()
	})
	if err := errs["cancel"]; !errors.Is(err, dispatch.ErrUnanswered) || !errors.Is(err, driver.ErrClosed) || !errors.Is(err, errGone) {
		r.Errorf("it ended with %v", err)
	}
	r.perform(nil)
	r.await("a", deferred.Cancelled)
}
