package suite

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// failedForGood are deferreds that have failed, on a queue that lists such soon.
func failedForGood(r *rig, ids ...deferred.ID) *dispatch.Queue {
	q := dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, UnhandledGrace: time.Second, Logger: silent()})
	w := r.join(q, "greet")
	for _, id := range ids {
		r.submit(greeting(id))
		a := w.claim()
		w.fail(a, deferred.Permanent(errors.New("no")))
	}
	return q
}

func listsUnhandled(r *rig, q *dispatch.Queue, want ...deferred.ID) bool {
	var got []deferred.ID
	for rec, err := range q.Unhandled(r.ctx) {
		if err != nil {
			r.Fatal(err)
		}
		got = append(got, rec.ID)
	}
	if len(got) != len(want) {
		return false
	}
	for i := range got {
		if got[i] != want[i] {
			return false
		}
	}
	return true
}

func unhandledIsListed(r *rig) {
	q := failedForGood(r, "awaited", "mended", "dismissed", "left")
	drivertest.Eventually(r.T, "all four are listed after the grace time", func() bool {
		return listsUnhandled(r, q, "awaited", "mended", "dismissed", "left")
	})
	if _, err := q.Await(r.ctx, "awaited"); err != nil {
		r.Fatal(err)
	}
	drivertest.Eventually(r.T, "what somebody has waited for is listed no longer", func() bool {
		return listsUnhandled(r, q, "mended", "dismissed", "left")
	})
	if _, err := q.Open("mended").AddErrback(r.ctx, deferred.Call{Name: "mend"}); err != nil {
		r.Fatal(err)
	}
	drivertest.Eventually(r.T, "what has an errback is listed no longer", func() bool {
		return listsUnhandled(r, q, "dismissed", "left")
	})
	if err := q.Open("dismissed").Handle(r.ctx); err != nil {
		r.Fatal(err)
	}
	drivertest.Eventually(r.T, "what was dismissed is listed no longer", func() bool { return listsUnhandled(r, q, "left") })
}

// A race that was over before the other member failed has not seen the failure.
func unhandledAfterTheRace(r *rig) {
	q := dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, UnhandledGrace: time.Second, Logger: silent()})
	w := r.join(q, "greet")
	promise, token := deferred.NewPromise("p", "promise")
	r.submit(greeting("a"), promise)
	a := w.claim()
	race := deferred.NewJoin(deferred.JoinRace, q.Open("a"), q.Open("p"))
	race.ID = "race"
	r.submit(race)
	if err := deferred.ResolvePromise(r.ctx, q, token, 1); err != nil {
		r.Fatal(err)
	}
	r.await("race", deferred.Succeeded)
	drivertest.Eventually(r.T, "the race lets go", func() bool {
		rec, _ := q.Record(r.ctx, "race")
		return rec.Waits != nil && rec.Waits.Released
	})
	w.fail(a, deferred.Permanent(errors.New("no")))
	drivertest.Eventually(r.T, "what lost the race is listed", func() bool { return listsUnhandled(r, q, "a") })
}

// The promise's message is stored, and no worker has met it.
func oppositeResolutions(r *rig) {
	c, token := deferred.NewPromise("p", "approval")
	r.submit(c)
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); err != nil {
		r.Fatal(err)
	}
	var settled *deferred.SettledError
	err := deferred.RejectPromise(r.ctx, r.queue, token, errors.New("no"))
	if !errors.As(err, &settled) || settled.State != deferred.Succeeded || string(settled.Outcome.Result.Data) != "1" {
		r.Errorf("the second was told %v", err)
	}
	if err := deferred.ResolvePromise(r.ctx, r.queue, "p.wrong", 2); !errors.Is(err, deferred.ErrToken) {
		r.Errorf("a wrong token was told %v", err)
	}
	r.join(r.queue, "nothing")
	r.await("p", deferred.Succeeded)
	r.becomesEmpty(driver.Commands)
	r.becomesEmpty(driver.Later)
}
