package suite

import (
	"context"
	"fmt"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// outlasts lets hours pass. Every node has its whole result for as long as it is
// kept, whatever that is made of and however long those are kept for themselves,
// also when something is hung on it when all has been let go of; and in the end
// nothing is left.
func (g *stormyGraph) outlasts() {
	if g.inline == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(g.ctx), 30*24*time.Hour)
	defer cancel()
	g.ctx = ctx
	calls := append(g.calls[:len(g.calls):len(g.calls)], g.late...)
	first, delayed := map[deferred.ID]deferred.Record{}, map[deferred.ID]deferred.Record{}
	for _, c := range calls {
		first[c.ID], _ = g.queue.Await(ctx, c.ID)
	}
	for hour := range 5 {
		g.whileWorking(func() { g.hangMore(hour, first, delayed); g.sleep(time.Minute) })
		for id, was := range first {
			g.isStill(id, &was)
		}
		g.sleep(time.Hour)
	}
	g.whileWorking(func() {
		for id, parent := range delayed {
			if r, err := g.queue.Await(ctx, id); err != nil || string(r.Result.Data) != string(parent.Result.Data) {
				g.Errorf("%s, delayed, has %s (%v), want %s of %s", id, r.Result.Data, err, parent.Result.Data, parent.ID)
			}
		}
		g.sleep(time.Minute)
	})
	g.sleep(8 * 24 * time.Hour) // failures are kept for a week
	for r, err := range g.queue.List(ctx, dispatch.Filter{}) {
		g.Errorf("%s is left after its time: settled %s, needed until %s, %+v, result of %q (%v)", r.ID, r.Settled, r.Needed, r.Callbacks, r.ResultOf, err)
	}
}

func (g *stormyGraph) whileWorking(do func()) {
	working, stop := context.WithCancel(g.ctx)
	var worker sync.WaitGroup
	defer worker.Wait()
	defer stop()
	worker.Go(func() { g.work(working, g.queue) })
	do()
}

// isStill looks at a node that is to be there, and need not be for much longer.
func (g *stormyGraph) isStill(id deferred.ID, was *deferred.Record) {
	keep := was.Keep
	if keep == 0 {
		keep = time.Hour
	}
	if was.State != deferred.Succeeded || !time.Now().Before(was.Settled.Add(keep)) {
		return
	}
	r, err := g.queue.Await(g.ctx, id)
	if err != nil || string(r.Result.Data) != string(was.Result.Data) {
		g.Errorf("%s, which is kept for %v, has %s after %v, want %s (%v)", id, keep, r.Result.Data, time.Since(was.Settled), was.Result.Data, err)
	}
}

// hangMore hangs callbacks on what has settled long ago. Some are delayed for
// longer than the rest is kept.
func (g *stormyGraph) hangMore(hour int, first, delayed map[deferred.ID]deferred.Record) {
	for i := range 8 {
		parent := g.calls[g.storm.intn(len(g.calls))].ID
		was := first[parent]
		if was.State != deferred.Succeeded || !time.Now().Before(was.Settled.Add(was.Keep-time.Minute)) {
			continue
		}
		c := deferred.Call{ID: deferred.ID(fmt.Sprintf("more%d-%d", hour, i)), Name: "value", Retries: deferred.NoRetries}
		on := []deferred.Branch{deferred.OnSuccess, deferred.OnFailure}[i%2]
		c.After = &deferred.After{Parent: parent, On: on}
		if c.Keep = 3 * time.Hour; i%4 == 0 {
			c.Delay, c.Keep = 2*time.Hour, 12*time.Hour
		}
		g.submit(c)
		if c.Delay > 0 {
			delayed[c.ID] = was
			continue
		}
		r, err := g.queue.Await(g.ctx, c.ID)
		if err != nil || string(r.Result.Data) != string(was.Result.Data) {
			g.Errorf("%s on %s of %s has %s (%v), want %s", c.ID, on, parent, r.Result.Data, err, was.Result.Data)
		}
		first[c.ID] = r
	}
}
