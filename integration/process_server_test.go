package integration

import (
	"context"
	"slices"
	"testing"
	"time"

	"zasync/pkg/deferred"
)

func TestKilledServerLosesNothingAndTakesNothingFromTheLiving(t *testing.T) {
	f := newFleet(t)
	workers := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		workers[f.joined(f.zworker("--name", name, "--slots", "5")).Incarnation] = true
	}
	long := f.submit(naps(4, "5s")...)
	short := f.submit(naps(60, "300ms")...)
	delayed := sum()
	delayed.Delay = 3 * time.Second
	later := f.submit(slices.Repeat([]deferred.Call{delayed}, 20)...)
	during, stop := f.keepSubmitting()
	f.until("calls are running, queued and delayed", func() bool {
		return f.in(deferred.Running, long) == len(long) && f.in(deferred.Succeeded, short) > 0 &&
			f.in(deferred.Pending, short) > 0 && f.in(deferred.Scheduled, later) == len(later)
	})
	running := map[deferred.ID]deferred.Token{}
	for _, id := range slices.Concat(long, short) {
		if r, err := f.queue.Record(f.ctx, id); err == nil && r.State == deferred.Running {
			running[id] = r.Token
		}
	}
	f.restart()
	f.settled(f.submit(delayed)[0])
	stop()
	ids := slices.Concat(long, short, later, <-during)
	for _, id := range ids {
		r := f.settled(id)
		f.ends(id, deferred.Succeeded, 1, deferred.Counts{Commits: r.Counts.Commits})
		if !workers[r.Token.Worker] {
			t.Errorf("%s was ended by %s, which is none of the workers", id, r.Token.Worker)
		}
		if token, ok := running[id]; ok && token != r.Token {
			t.Errorf("%s was taken from %+v, which was alive, by %+v", id, token, r.Token)
		}
	}
	t.Logf("%d calls, %d of them running when the server was killed", len(ids), len(running))
	f.conclude()
}

// keepSubmitting submits one call after the other until it is stopped, and then
// gives those that were acknowledged.
func (f *fleet) keepSubmitting() (acknowledged <-chan []deferred.ID, stop func()) {
	ctx, stop := context.WithCancel(f.ctx)
	f.t.Cleanup(stop)
	all := make(chan []deferred.ID, 1)
	go func() {
		var ids []deferred.ID
		tick := time.NewTicker(glance)
		defer tick.Stop()
		for ctx.Err() == nil {
			// An error tells that nothing is known to be stored.
			if d, err := deferred.SubmitOne(ctx, f.queue, sum()); err == nil {
				ids = append(ids, d.ID())
			}
			<-tick.C
		}
		all <- ids
	}()
	return all, stop
}
