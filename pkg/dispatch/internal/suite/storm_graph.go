package suite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestStorm has a random graph performed by workers whose every operation may be
// slow, fail or go unanswered, and who die again and again, while clients cancel,
// hold, release, add callbacks and members. In the end all is as in [TestGraph],
// no attempt was performed twice, and nothing is left behind. It takes hours, so
// the clock has to be that of a bubble.
func TestStorm(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair, nodes int, seed uint64) {
	clock(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		r := &rig{T: t, ctx: ctx, pair: open(t), inline: int(seed % 2)} // half of them with all that is taken over by reference
		r.queue = dispatch.New(r.pair.Store, r.pair.Broker, stormConfig(r))
		g := &stormyGraph{graph: newGraph(r, nodes, seed), storm: &storm{random: rand.New(rand.NewPCG(seed, 1))}}
		g.mortal, g.lasts = true, func(ctx context.Context) { g.storm.last(ctx); g.storm.last(ctx) }
		g.perform()
		g.empties()
		g.check()
		g.outlasts()
		g.sleep(time.Minute) // the dead have operations on their way
		g.empties()          // and none of them leaves anything behind
	})
}

func stormConfig(r *rig) dispatch.Config {
	return dispatch.Config{Lease: r.pair.Lease, MaxDeaths: 1000, InlineResult: r.inline, Logger: silent()}
}

type stormyGraph struct {
	*graph
	storm *storm
}

func (g *stormyGraph) perform() {
	working, stop := context.WithCancel(g.ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	for range 3 {
		workers.Go(func() { g.reincarnate(working) })
	}
	var clients sync.WaitGroup
	clients.Go(g.meddle)
	g.ask(func() { g.pass(500) })
	clients.Wait()
	g.settles()
}

// pass lets some milliseconds go by.
func (g *stormyGraph) pass(most int) { g.sleep(time.Duration(g.storm.intn(most)) * time.Millisecond) }

func (g *stormyGraph) sleep(d time.Duration) {
	select {
	case <-time.After(d):
	case <-g.ctx.Done():
	}
}

// reincarnate runs one worker after the other, each until it dies.
func (g *stormyGraph) reincarnate(ctx context.Context) {
	for ctx.Err() == nil {
		f := drivertest.NewFaults(stormyStore{g.pair.Store, g.storm}, stormyBroker{g.pair.Broker, g.storm}, 0, drivertest.Sound)
		life, end := context.WithTimeout(ctx, time.Duration(1+g.storm.intn(20))*time.Second)
		context.AfterFunc(life, f.Kill)
		q := dispatch.New(f.Store(), f.Broker(), stormConfig(g.rig))
		g.work(life, q)
		end()
		g.pass(3000)
	}
}

// empties waits until sound workers have left nothing behind.
func (g *stormyGraph) empties() {
	ctx, stop := context.WithCancel(g.ctx)
	var last sync.WaitGroup
	defer last.Wait()
	defer stop()
	last.Go(func() { g.work(ctx, g.queue) })
	patient, cancel := drivertest.Patiently(g.T)
	defer cancel()
	s := &story{t: g.T, pair: g.pair, truth: g.queue, faults: drivertest.NewFaults(g.pair.Store, g.pair.Broker, 0, drivertest.Sound)}
	s.checkEmpty(patient)
}

// meddle is what clients do meanwhile to whatever there is.
func (g *stormyGraph) meddle() {
	for i := range len(g.calls) / 3 {
		g.pass(400)
		d := g.queue.Open(deferred.ID(fmt.Sprintf("n%d", g.storm.intn(len(g.calls)))))
		switch g.storm.intn(4) {
		case 0:
			g.holdFor(d)
		case 1:
			g.addCallback(d, deferred.ID(fmt.Sprintf("late%d", i)))
		case 2:
			g.tolerate("add", d.AddMembers(g.ctx, g.queue.Open(g.storm.early())))
		case 3:
			g.tolerate("cancel", d.Cancel(g.ctx, "on a whim"))
		}
	}
}

// early is one of the first nodes, which do not wait for any other.
func (s *storm) early() deferred.ID { return deferred.ID(fmt.Sprintf("n%d", s.intn(5))) }

func (g *stormyGraph) holdFor(d *deferred.Deferred) {
	g.tolerate("hold", d.Hold(g.ctx, "on a whim"))
	g.pass(3000)
	g.tolerate("release", d.Release(g.ctx))
}

func (g *stormyGraph) addCallback(d *deferred.Deferred, id deferred.ID) {
	c := deferred.Call{ID: id, Name: "value", Retries: deferred.NoRetries}
	if _, err := d.AddBoth(g.ctx, c); err != nil {
		g.Errorf("add a callback to %s: %v", d.ID(), err)
		return
	}
	c.After = &deferred.After{Parent: d.ID(), On: deferred.OnBoth}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.late = append(g.late, c)
}

// tolerate lets pass that a command comes too late, or to the wrong deferred.
func (g *stormyGraph) tolerate(what string, err error) {
	var settled *deferred.SettledError
	var state *deferred.StateError
	if err != nil && !errors.As(err, &settled) && !errors.As(err, &state) && !errors.Is(err, deferred.ErrNotFound) {
		g.Errorf("%s: %v", what, err)
	}
}
