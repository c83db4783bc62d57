package suite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestGraph submits a random graph of deferreds, in random order: calls that
// succeed and fail, callbacks on all branches, joins of all modes, adopters and
// promises; some are cancelled meanwhile. In the end every node has settled, each
// as what it hangs on asks for, and every callback ran once on its branch and not
// at all on the others.
//
// It does so twice, the second time with every result that is taken over by reference.
func TestGraph(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair, nodes int) {
	for name, inline := range map[string]int{"Copied": 0, "ReferredTo": 1} {
		t.Run(name, func(t *testing.T) {
			clock(t, func(t *testing.T) {
				ctx, cancel := drivertest.Patiently(t)
				defer cancel()
				r := &rig{T: t, ctx: ctx, pair: open(t), inline: inline}
				r.queue = dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, InlineResult: inline, Logger: silent()})
				g := newGraph(r, nodes/fewer, 7)
				g.run()
				g.check()
			})
		})
	}
}

type graph struct {
	*rig
	random *rand.Rand
	calls  []deferred.Call
	tokens []deferred.PromiseToken

	mortal bool                      // workers die, and calls are performed again
	lasts  func(ctx context.Context) // for as long as a call does

	mu       sync.Mutex
	late     []deferred.Call // callbacks that were added meanwhile
	runs     map[deferred.ID]int
	attempts map[string]int // by id and number
}

func newGraph(r *rig, nodes int, seed uint64) *graph {
	g := &graph{rig: r, random: rand.New(rand.NewPCG(seed, seed)), runs: map[deferred.ID]int{}, attempts: map[string]int{}, lasts: func(context.Context) {}}
	for i := range nodes {
		c := g.node(i)
		if r.inline > 0 {
			c.Keep = time.Duration(2+(i*7)%5) * time.Hour
		}
		g.calls = append(g.calls, c)
	}
	return g
}

// node refers to earlier ones only, so that nothing waits for itself.
func (g *graph) node(i int) deferred.Call {
	c := deferred.Call{ID: deferred.ID(fmt.Sprintf("n%d", i)), Retries: deferred.NoRetries}
	kind := g.random.IntN(10)
	if i < 5 {
		kind = g.random.IntN(3)
	}
	switch kind {
	case 0, 1:
		c.Name, c.Args = "value", deferred.JSON([]byte(`"`+string(c.ID)+`"`))
	case 2:
		c.Name = "fail"
	case 3, 4, 5:
		c.Name = []string{"value", "fail"}[g.random.IntN(2)]
		on := []deferred.Branch{deferred.OnSuccess, deferred.OnFailure, deferred.OnBoth}[g.random.IntN(3)]
		c.After = &deferred.After{Parent: g.earlier(i), On: on}
	case 6:
		c.Name, c.Args = "adopt", deferred.JSON([]byte(`"`+string(g.earlier(i))+`"`))
	case 7, 8:
		c = deferred.Call{ID: c.ID, Name: "join", Join: g.join(i)}
	case 9:
		var token deferred.PromiseToken
		c, token = deferred.NewPromise(c.ID, "promise")
		g.tokens = append(g.tokens, token)
	}
	return c
}

func (g *graph) earlier(i int) deferred.ID { return g.calls[g.random.IntN(i)].ID }

func (g *graph) join(i int) *deferred.Join {
	modes := []deferred.JoinMode{deferred.JoinAll, deferred.JoinAllSettled, deferred.JoinAny, deferred.JoinRace}
	j := &deferred.Join{Mode: modes[g.random.IntN(len(modes))], CancelRest: g.random.IntN(8) == 0}
	for range 1 + g.random.IntN(12) {
		if m := g.earlier(i); !slices.Contains(j.Members, m) {
			j.Members = append(j.Members, m)
		}
	}
	return j
}

func (g *graph) run() {
	working, stop := context.WithCancel(g.ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	for range 2 {
		workers.Go(func() { g.work(working, g.queue) })
	}
	g.ask(func() {})
	g.settles()
}

// ask is what the clients do, with a pause after each step.
func (g *graph) ask(pause func()) {
	shuffled := slices.Clone(g.calls)
	g.random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	var settled *deferred.SettledError
	for chunk := range slices.Chunk(shuffled, 50) {
		g.submit(chunk...)
		id := chunk[g.random.IntN(len(chunk))].ID
		if err := g.queue.Open(id).Cancel(g.ctx, "on a whim"); err != nil && !errors.As(err, &settled) {
			g.Errorf("cancel %s: %v", id, err)
		}
		pause()
	}
	for _, token := range g.tokens {
		var err error
		if g.random.IntN(2) == 0 {
			err = deferred.ResolvePromise(g.ctx, g.queue, token, "approved")
		} else {
			err = deferred.RejectPromise(g.ctx, g.queue, token, errors.New("refused"))
		}
		if err != nil && !errors.As(err, &settled) {
			g.Errorf("settle %s: %v", token.ID(), err)
		}
		pause()
	}
}

func (g *graph) settles() {
	for _, c := range append(g.calls, g.late...) {
		if _, err := g.queue.Await(g.ctx, c.ID); err != nil {
			r, _ := g.queue.Record(g.ctx, c.ID)
			g.Fatalf("%s never settled: %v; %+v, waits %+v", c.ID, err, r, r.Waits)
		}
	}
}

func (g *graph) work(ctx context.Context, q *dispatch.Queue) {
	feed, err := q.Join(ctx, deferred.Worker{Name: "worker"})
	if err != nil {
		if !g.mortal {
			g.Error(err)
		}
		return
	}
	for _, name := range []string{"value", "fail", "adopt"} {
		feed.Want(deferred.Lane{Queue: deferred.DefaultQueue, Name: name}, 20)
	}
	finishing := context.WithoutCancel(ctx)
	if g.mortal {
		finishing = ctx
	}
	var performing sync.WaitGroup
	for {
		offer, err := feed.Next(ctx)
		if err != nil {
			break
		}
		performing.Go(func() {
			a, err := feed.Claim(finishing, offer)
			if err != nil {
				return
			}
			g.mu.Lock()
			g.runs[a.ID]++
			g.attempts[fmt.Sprint(a.ID, " ", a.Number)]++
			g.mu.Unlock()
			g.lasts(finishing)
			_ = feed.Settle(finishing, a, g.outcome(a)) // a cancel may have come first
		})
	}
	performing.Wait()
	_ = feed.Leave(finishing)
}

func (g *graph) outcome(a *deferred.Attempt) deferred.Outcome {
	switch a.Lane.Name {
	case "fail":
		return deferred.OutcomeOf(&deferred.Failure{Kind: "made up", Message: "by " + string(a.ID)})
	case "adopt":
		var inner deferred.ID
		if err := a.Args.Decode(&inner); err != nil {
			return deferred.OutcomeOf(err)
		}
		return deferred.OutcomeOf(deferred.Adopt(deferred.Open(a.Ledger, inner)))
	}
	in, err := a.Input()
	if err != nil {
		return deferred.OutcomeOf(err)
	}
	return deferred.Outcome{State: deferred.Succeeded, Result: in}
}
