package suite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// A Pair is an implementation of both seams.
type Pair struct {
	Store  driver.Store
	Broker driver.Broker
	Lease  time.Duration // the broker's
}

// TestOrder runs one story, in which every operation of a queue has its part,
// again and again: each time the next operation of the worker (and then of the
// client) fails, or its answer is lost, or the process dies just before or just
// after it. Each time everything must end as if nothing had happened.
//
// The story: a call fails and succeeds when it is tried again; one fails for
// good, and its errback recovers; one is cancelled while it waits for its time;
// one expires; each has callbacks on both branches, and callbacks below them; and
// a callback comes by itself. Only each step-th operation is told.
func TestOrder(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair, step int) {
	runStory(t, clock, open, calls, step)
}

// TestOrderOfWaiting is the same with a story of what waits: joins, of which one
// cancels the losers, an adoption two deep, promises, a callback that comes while
// its parent is open, a call that is held and released, a deadline, and a
// failure that a waiter has seen.
func TestOrderOfWaiting(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair, step int) {
	runStory(t, clock, open, waits, step)
}

// TestOrderOfKeeping is the same with a story of what is kept, grows and goes:
// members are added to a join; the result of another one is not in its record,
// and is read whole after it has let go of its members; a race spares the
// loser that is wanted elsewhere; a promise is rejected, and one is resolved before
// anybody has seen it; an attempt annotates faster than is written, and hands a
// checkpoint on; of two failures one is seen by somebody; and of too many records
// the oldest go, with their annotations.
func TestOrderOfKeeping(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair, step int) {
	runStory(t, clock, open, keeps, step)
}

// A plot is what happens in a story, and how it must end.
type plot struct {
	config dispatch.Config
	before func(ctx context.Context, s *story) // what has been before; nil is nothing
	calls  func() []deferred.Call
	ask    func(ctx context.Context, client *dispatch.Queue) error // may be asked again
	handle func(ctx context.Context, a *deferred.Attempt) deferred.Outcome
	names  []string // of the calls that are performed
	want   func() map[deferred.ID]string
	times  map[deferred.ID]int                 // how often each is performed if no worker dies; what is not in it, never
	after  func(ctx context.Context, s *story) // what else must be in the end; nil is nothing
}

func runStory(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair, p plot, step int) {
	step *= fewer
	operations := map[string]int{}
	t.Run("NothingFails", func(t *testing.T) { // returns when it is over, also where clock makes its tests parallel
		t.Run("Counted", func(t *testing.T) {
			clock(t, func(t *testing.T) {
				for _, who := range []string{"worker", "client"} {
					operations[who] = tell(t, open(t), p, who, 0, drivertest.Sound)
				}
			})
		})
	})
	for _, who := range []string{"worker", "client"} {
		for _, mode := range []drivertest.Mode{drivertest.Fail, drivertest.LoseUnstored, drivertest.LoseStored, drivertest.KillBefore, drivertest.KillAfter} {
			// The order of concurrent operations differs from run to run, so the
			// story may be a little longer than it was the first time.
			for n := 1; n <= operations[who]; n += step {
				t.Run(fmt.Sprintf("%s/%s/%d", who, mode, n), func(t *testing.T) {
					clock(t, func(t *testing.T) { tell(t, open(t), p, who, n, mode) })
				})
			}
		}
	}
}

// story is one run of it.
type story struct {
	plot
	t      *testing.T
	pair   Pair
	truth  *dispatch.Queue // a client that nothing happens to
	faults *drivertest.Faults

	mu   sync.Mutex
	runs map[deferred.ID]map[int]int // id, attempt: how often performed
}

func tell(t *testing.T, pair Pair, p plot, who string, n int, mode drivertest.Mode) int {
	s := &story{plot: p, t: t, pair: pair, runs: map[deferred.ID]map[int]int{}, faults: drivertest.NewFaults(pair.Store, pair.Broker, n, mode)}
	s.truth = s.queue(pair.Store, pair.Broker)
	faulty := s.queue(s.faults.Store(), s.faults.Broker())
	client, worker := s.truth, s.truth
	if who == "worker" {
		worker = faulty
	} else {
		client = faulty
	}
	ctx, cancel := drivertest.Patiently(t)
	defer cancel()
	if p.before != nil {
		p.before(ctx, s)
	}
	var workers sync.WaitGroup
	working, stop := context.WithCancel(ctx)
	workers.Go(func() { s.work(working, worker, "first") })
	workers.Go(func() {
		select {
		case <-s.faults.Killed():
			if who == "worker" {
				s.work(working, s.truth, "second")
			}
		case <-working.Done():
		}
	})
	s.ask(ctx, client)
	s.check(ctx)
	stop()
	workers.Wait()
	return s.faults.Count()
}

func (s *story) queue(store driver.Store, broker driver.Broker) *dispatch.Queue {
	c := s.config
	c.Lease, c.Logger = s.pair.Lease, silent()
	return dispatch.New(store, broker, c)
}

// ask is what the client does, and what another one does again when it fails.
func (s *story) ask(ctx context.Context, client *dispatch.Queue) {
	if _, err := client.Submit(ctx, s.calls()...); err != nil {
		if _, err := s.truth.Submit(ctx, s.calls()...); err != nil {
			s.t.Fatalf("submit: %v; operations %q", err, s.faults.Trace())
		}
	}
	if first := s.plot.ask(ctx, client); first != nil {
		if err := s.plot.ask(ctx, s.truth); err != nil {
			s.t.Fatalf("ask: %v, and then %v; operations %q", first, err, s.faults.Trace())
		}
	}
}

// work is a worker of four slots.
func (s *story) work(ctx context.Context, q *dispatch.Queue, name string) {
	feed, err := q.Join(ctx, deferred.Worker{Name: name})
	for err != nil {
		if errors.Is(err, drivertest.ErrKilled) || ctx.Err() != nil {
			return
		}
		feed, err = q.Join(ctx, deferred.Worker{Name: name})
	}
	for _, call := range s.names {
		feed.Want(deferred.Lane{Queue: deferred.DefaultQueue, Name: call}, 4)
	}
	var performing sync.WaitGroup
	for {
		offer, err := feed.Next(ctx)
		if err != nil {
			break
		}
		performing.Go(func() { s.perform(ctx, feed, offer) })
	}
	performing.Wait()
	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = feed.Leave(leaving) // a killed one cannot say goodbye
}

func (s *story) perform(ctx context.Context, feed deferred.Feed, offer deferred.Offer) {
	a, err := feed.Claim(ctx, offer)
	if err != nil {
		return
	}
	s.note(ctx, a)
	_ = feed.Settle(ctx, a, s.handle(ctx, a)) // what was lost or killed is for the record to tell
}

// note checks that the attempt is the one that the record names.
func (s *story) note(ctx context.Context, a *deferred.Attempt) {
	r, err := s.truth.Record(ctx, a.ID)
	if err == nil && (r.State != deferred.Running || r.Attempt != a.Number) && a.Revoked() == nil {
		select {
		case <-s.faults.Killed(): // a dead worker's goroutine that does not know it yet
		default:
			s.t.Errorf("%s: attempt %d began while the record says %s, attempt %d", a.ID, a.Number, r.State, r.Attempt)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[a.ID] == nil {
		s.runs[a.ID] = map[int]int{}
	}
	s.runs[a.ID][a.Number]++
}
