package dispatchtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// A Pair is an implementation of both seams.
type Pair struct {
	Store  dispatch.Store
	Broker dispatch.Broker
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
// a callback comes by itself.
func TestOrder(t *testing.T, clock Clock, open func(t *testing.T) Pair) {
	runStory(t, clock, open, calls, 1)
}

// TestOrderOfWaiting is the same with a story of what waits: joins, of which one
// cancels the losers, an adoption two deep, promises, a callback that comes while
// its parent is open, a call that is held and released, a deadline, and a
// failure that somebody has seen. Only each step-th operation is told.
func TestOrderOfWaiting(t *testing.T, clock Clock, open func(t *testing.T) Pair, step int) {
	runStory(t, clock, open, waits, step)
}

// A plot is what happens in a story, and how it must end.
type plot struct {
	names  []string // of the calls that are performed
	calls  func() []deferred.Call
	ask    func(ctx context.Context, client *dispatch.Queue) error // may be asked again
	handle func(a *deferred.Attempt) deferred.Outcome
	want   func() map[deferred.ID]string
	never  []deferred.ID // what is never performed
}

var calls = plot{
	names: []string{"second-time-lucky", "refuse", "mend", "copy"},
	calls: storyCalls, handle: handle, want: want, never: []deferred.ID{"cancelled", "expired"},
	ask: func(ctx context.Context, client *dispatch.Queue) error {
		return client.Do(ctx, deferred.Command{Verb: deferred.Cancel, ID: "cancelled", Reason: "not needed"})
	},
}

func runStory(t *testing.T, clock Clock, open func(t *testing.T) Pair, p plot, step int) {
	operations := map[string]int{}
	t.Run("NothingFails", func(t *testing.T) { // returns when it is over, also where clock makes its tests parallel
		t.Run("Counted", func(t *testing.T) {
			clock(t, func(t *testing.T) {
				for _, who := range []string{"worker", "client"} {
					operations[who] = tell(t, open(t), p, who, 0, Sound)
				}
			})
		})
	})
	for _, who := range []string{"worker", "client"} {
		for _, mode := range []Mode{Fail, LoseUnstored, LoseStored, KillBefore, KillAfter} {
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
	faults *Faults

	mu   sync.Mutex
	runs map[deferred.ID]map[int]int // id, attempt: how often performed
}

func tell(t *testing.T, pair Pair, p plot, who string, n int, mode Mode) int {
	s := &story{plot: p, t: t, pair: pair, runs: map[deferred.ID]map[int]int{}, faults: NewFaults(pair.Store, pair.Broker, n, mode)}
	s.truth = s.queue(pair.Store, pair.Broker)
	faulty := s.queue(s.faults.Store(), s.faults.Broker())
	client, worker := s.truth, s.truth
	if who == "worker" {
		worker = faulty
	} else {
		client = faulty
	}
	ctx, cancel := patiently(t)
	defer cancel()
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

func (s *story) queue(store dispatch.Store, broker dispatch.Broker) *dispatch.Queue {
	return dispatch.New(store, broker, dispatch.Config{Lease: s.pair.Lease, Logger: slog.New(slog.DiscardHandler)})
}

// ask is what the client does, and what another one does again when it fails.
func (s *story) ask(ctx context.Context, client *dispatch.Queue) {
	if _, err := client.Submit(ctx, s.calls()...); err != nil {
		if _, err := s.truth.Submit(ctx, s.calls()...); err != nil {
			s.t.Fatalf("submit: %v", err)
		}
	}
	if err := s.plot.ask(ctx, client); err != nil {
		if err := s.plot.ask(ctx, s.truth); err != nil {
			s.t.Fatalf("ask: %v", err)
		}
	}
}

func storyCalls() []deferred.Call {
	on := func(b deferred.Branch, name string, below ...deferred.Callback) deferred.Callback {
		return deferred.Callback{On: b, Call: deferred.Call{Name: name, Callbacks: below}}
	}
	three := []deferred.Callback{
		on(deferred.OnSuccess, "copy", on(deferred.OnBoth, "copy")),
		on(deferred.OnFailure, "mend", on(deferred.OnSuccess, "copy")),
		on(deferred.OnBoth, "copy"),
	}
	two := []deferred.Callback{on(deferred.OnSuccess, "copy"), on(deferred.OnFailure, "mend")}
	args := deferred.JSON([]byte(`"in"`))
	return []deferred.Call{
		{ID: "retried", Name: "second-time-lucky", Args: args, Callbacks: three},
		{ID: "refused", Name: "refuse", Args: args, Callbacks: three},
		// A worker that parks it just when it is cancelled leaves a schedule behind,
		// which ends by itself: so its time is within the test's patience.
		{ID: "cancelled", Name: "copy", Args: args, Callbacks: two, Delay: 10 * time.Second},
		{ID: "expired", Name: "copy", Args: args, Callbacks: two, BeginBy: time.Unix(1, 0)},
		// A callback that comes by itself, and notes itself in its parent's record.
		{ID: "late", Name: "copy", After: &deferred.After{Parent: "expired", On: deferred.OnFailure}, Delay: 500 * time.Millisecond},
	}
}

// want is the outcome of each deferred of the story. A deferred that took its
// parent's outcome over has the same.
func want() map[deferred.ID]string {
	w := map[deferred.ID]string{}
	ok, mended := `succeeded "out"`, `succeeded "mended"`
	tree := func(root deferred.ID, own, success, below, failure, mended, both string) {
		child := deferred.ChildID
		w[root] = own
		w[child(root, 0)], w[child(child(root, 0), 0)] = success, below
		w[child(root, 1)], w[child(child(root, 1), 0)] = failure, mended
		w[child(root, 2)] = both
	}
	copied := `succeeded {"kind":"refused"}`
	tree("retried", ok, ok, ok, ok, ok, ok)
	tree("refused", "failed refused", "failed refused", copied, mended, mended, copied)
	for root, failure := range map[deferred.ID]string{"cancelled": "cancelled cancelled", "expired": "expired expired"} {
		w[root], w[deferred.ChildID(root, 0)], w[deferred.ChildID(root, 1)] = failure, failure, mended
	}
	w["late"] = `succeeded {"kind":"expired"}`
	return w
}

func handle(a *deferred.Attempt) deferred.Outcome {
	in, err := a.Input()
	if err != nil {
		return deferred.OutcomeOf(err)
	}
	switch a.Lane.Name {
	case "second-time-lucky":
		if a.Failures == 0 {
			return deferred.OutcomeOf(deferred.RetryAfter(10*time.Millisecond, errors.New("not yet")))
		}
		in = deferred.JSON([]byte(`"out"`))
	case "refuse":
		return deferred.OutcomeOf(deferred.Permanent(&deferred.Failure{Kind: "refused", Message: "no"}))
	case "mend":
		in = deferred.JSON([]byte(`"mended"`))
	case "copy":
		if f := new(deferred.Failure); a.Parent != nil && a.Parent.Outcome.State != deferred.Succeeded {
			if err := in.Decode(f); err != nil {
				return deferred.OutcomeOf(err)
			}
			in = deferred.JSON([]byte(`{"kind":"` + f.Kind + `"}`))
		}
	}
	return deferred.Outcome{State: deferred.Succeeded, Result: in}
}

// work is a worker of four slots.
func (s *story) work(ctx context.Context, q *dispatch.Queue, name string) {
	feed, err := q.Join(ctx, deferred.Worker{Name: name})
	for err != nil {
		if errors.Is(err, ErrKilled) || ctx.Err() != nil {
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
	_ = feed.Settle(ctx, a, s.handle(a)) // what was lost or killed is for the record to tell
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

func (s *story) check(ctx context.Context) {
	for id, want := range s.want() {
		r, err := s.truth.Await(ctx, id)
		if err != nil {
			s.t.Fatalf("%s never settled: %v; operations %q", id, err, s.faults.Trace())
		}
		if got := outcome(&r); got != want {
			s.t.Errorf("%s ended as %s, want %s", id, got, want)
		}
	}
	s.checkEmpty(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, attempts := range s.runs {
		for number, n := range attempts {
			if n > 1 {
				s.t.Errorf("attempt %d of %s was performed %d times", number, id, n)
			}
		}
	}
	for _, id := range s.never {
		if len(s.runs[id]) > 0 {
			s.t.Errorf("%s was performed", id)
		}
	}
}

func outcome(r *deferred.Record) string {
	if r.State == deferred.Succeeded {
		return string(r.State) + " " + string(r.Result.Data)
	}
	return string(r.State) + " " + r.Failure.Kind
}

// checkEmpty waits until no message is left and every record may be forgotten.
func (s *story) checkEmpty(ctx context.Context) {
	var left []string
	holds := func() bool {
		left = nil
		for _, route := range []dispatch.Route{dispatch.Ready, dispatch.Later, dispatch.Commands, dispatch.Delay, dispatch.Due} {
			for d, err := range s.pair.Broker.Pending(ctx, dispatch.Page{Route: route}) {
				left = append(left, fmt.Sprintf("message %s %s %v", route, d.ID, err))
			}
		}
		for r, err := range s.truth.List(ctx, dispatch.Filter{}) {
			if err != nil || r.Parent != nil && !r.Parent.Released || r.Unfired() || r.Waits != nil && r.Waits.Mode != deferred.AfterParent && !r.Waits.Released {
				left = append(left, fmt.Sprintf("record %s %s %v", r.ID, r.State, err))
			}
			for _, cb := range r.Callbacks {
				if !cb.Settled {
					left = append(left, fmt.Sprintf("record %s: callback %s not marked", r.ID, cb.ID))
				}
			}
		}
		return len(left) == 0
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	before := left
	for !holds() {
		if ctx.Err() == nil {
			before = left
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("left behind: %v", before)
		}
	}
}
