package suite

import (
	"context"
	"errors"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

var confirmCases = []rigCase{
	{"AttemptCancelledBeforeItBeginsIsNotConfirmed", cancelledIsNotConfirmed},
	{"AttemptTakenOverBeforeItBeginsIsNotConfirmed", takenOverIsNotConfirmed},
	{"AttemptIsConfirmedThoughAReplicaLagsBehindItsClaim", confirmedBehind},
	{"AttemptIsNotConfirmedByAReadThatFails", notConfirmedUnread},
}

// confirms asks whether the attempt may begin, as a pool does whose slot came late.
func (r *rig) confirms(a *deferred.Attempt) error {
	r.Helper()
	if err := a.Confirm(r.ctx); err != nil {
		r.Fatal(err)
	}
	return a.Revoked()
}

func cancelledIsNotConfirmed(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	if err := r.confirms(a); err != nil {
		r.Errorf("before the cancel: %v", err)
	}
	r.cancel("a", "not needed")
	if err := r.confirms(a); !errors.Is(err, deferred.ErrCancelled) {
		r.Errorf("after a cancel that was acknowledged: %v", err)
	}
	r.submit(greeting("b"))
	b := w.claim()
	r.cancel("b", "not needed")
	if err := r.confirms(b); !errors.Is(err, deferred.ErrCancelled) {
		r.Errorf("asked for the first time: %v", err)
	}
	for _, a := range []*deferred.Attempt{a, b} {
		_ = w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Pending})
	}
}

func takenOverIsNotConfirmed(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	r.write("a", func(rec *deferred.Record) { rec.Attempt, rec.Token = 2, deferred.Token{Worker: "another", Attempt: 2} })
	if err := r.confirms(a); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("answered with %v", err)
	}
	_ = w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Pending})
}

// What is read is older than the claim, and says that the call does not run.
func confirmedBehind(r *rig) {
	w, a := r.lagsOn(greeting("a"))
	if err := r.confirms(a); err != nil {
		r.Errorf("answered with %v", err)
	}
	w.succeed(a)
	r.await("a", deferred.Succeeded)
}

// unreadable is a store whose leader does not answer for a while.
type unreadable struct {
	driver.Store
	now atomic.Bool
}

func (s *unreadable) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if s.now.Load() {
		return nil, errOnce
	}
	return s.Store.ReadLatest(ctx, keys)
}

func notConfirmedUnread(r *rig) {
	s := &unreadable{Store: r.pair.Store}
	w := r.join(r.over(s, r.pair.Broker), "greet")
	r.submit(greeting("a"))
	a := w.claim()
	s.now.Store(true)
	if err := a.Confirm(r.ctx); err == nil || a.Revoked() != nil {
		r.Errorf("answered with %v, revoked: %v", err, a.Revoked())
	}
	s.now.Store(false)
	w.feed.Decline(a.Offer, "it is not known")
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 {
		r.Errorf("attempt %d: one that never began counts as none", rec.Attempt)
	}
}
