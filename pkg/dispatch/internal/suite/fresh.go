package suite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestFreshness has, for each way in which a decision may rest on an old read, the
// case that goes wrong when it does. The replica that answers has stopped, and never
// knows more: only the leader does.
func TestFreshness(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runCases(t, slices.Concat(freshWakeCases, freshMemberCases, freshDecisionCases, freshOwnCases), clock, open)
}

// maxStale is how many old answers are given to what is bound to learn soon that
// they are old: more of them are asked for without end.
const maxStale = 500

var errSpun = errors.New("suite: a replica that has stopped is asked again and again")

// A standstill is a store of which one replica has stopped: of some entries it goes
// on telling what they were. Reads go to it, writes and the latest to the leader.
type standstill struct {
	driver.Store
	t *testing.T

	mu    sync.Mutex
	was   map[driver.Key]driver.Entry
	given int
}

func (r *rig) standstill() *standstill {
	return &standstill{Store: r.pair.Store, t: r.T, was: map[driver.Key]driver.Entry{}}
}

// stop keeps a record as it is now.
func (s *standstill) stop(id deferred.ID) {
	entries, err := s.ReadLatest(s.t.Context(), []driver.Key{drivertest.RecordKey(string(id))})
	if err != nil {
		s.t.Error(err)
		return
	}
	s.tell(entries[0])
}

// tell has the replica give an entry of the past.
func (s *standstill) tell(e driver.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.was[e.Key] = e
}

func (s *standstill) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	entries, err := s.Store.Read(ctx, keys)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, k := range keys {
		old, stopped := s.was[k]
		if !stopped {
			continue
		}
		entries[i] = old
		if s.given++; s.given == maxStale {
			s.t.Error(errSpun)
		}
		if s.given >= maxStale {
			return nil, errSpun
		}
	}
	return entries, nil
}

// routed is a broker that gives a worker the messages of some routes only: those of
// the others are for another worker.
type routed struct {
	driver.Broker
	takes func(driver.Route) bool
}

func (b routed) Subscribe(ctx context.Context) (driver.Subscription, error) {
	s, err := b.Broker.Subscribe(ctx)
	return routedSubscription{s, b.takes}, err
}

type routedSubscription struct {
	driver.Subscription
	takes func(driver.Route) bool
}

func (s routedSubscription) Want(l driver.Lane, n int) {
	if s.takes(l.Route) {
		s.Subscription.Want(l, n)
	}
}

// lagging has the messages of some routes dealt with by a worker that reads from a
// replica that has stopped, and those of the others by one that does not: that one is
// the hand, and takes calls of greet unless they are among the routes.
func (r *rig) lagging(routes ...driver.Route) (w *hand, s *standstill) {
	r.Helper()
	s = r.standstill()
	r.join(r.over(s, routed{r.pair.Broker, func(route driver.Route) bool { return slices.Contains(routes, route) }}), "nothing")
	w = r.join(r.over(r.pair.Store, routed{r.pair.Broker, func(route driver.Route) bool { return !slices.Contains(routes, route) }}), "greet")
	return w, s
}

// takes is a worker of greet that is given no other messages, and reads from the store.
func (r *rig) takes(s driver.Store) *hand {
	return r.join(r.over(s, routed{r.pair.Broker, func(route driver.Route) bool { return route == driver.Ready }}), "greet")
}

// claims submits calls of greet and claims them.
func (h *hand) claims(calls ...deferred.Call) []*deferred.Attempt {
	h.Helper()
	attempts := make([]*deferred.Attempt, len(calls))
	for i, c := range calls {
		h.submit(c)
		attempts[i] = h.claim()
	}
	return attempts
}

// adopt settles an attempt with what another deferred will give.
func (h *hand) adopt(a *deferred.Attempt, inner deferred.ID) {
	h.Helper()
	if err := h.feed.Settle(h.ctx, a, deferred.Outcome{State: deferred.Waiting, Adopt: inner}); err != nil {
		h.Errorf("settle: %v", err)
	}
}

// knowsOf waits until the record has an entry of the one that waits for it.
func (r *rig) knowsOf(id, waiter deferred.ID) {
	r.Helper()
	r.comesToBe(id, "knows of "+string(waiter), func(rec *deferred.Record) bool { return rec.Attached(waiter) != nil })
}
