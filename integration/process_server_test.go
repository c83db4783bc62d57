package integration

import (
	"context"
	"slices"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

func TestKilledServerLosesNothingAndTakesNothingFromTheLiving(t *testing.T) {
	f := newFleet(t)
	workers := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		workers[f.joined(f.zworker("--name", name, "--slots", "5")).Incarnation] = true
	}
	long := f.submit(naps(4, "8s")...)
	short := f.submit(naps(60, "300ms")...)
	delayed := sum()
	delayed.Delay = 5 * time.Second
	later := f.submit(slices.Repeat([]deferred.Call{delayed}, 20)...)
	during, stop := f.keepSubmitting()
	f.until("the long ones are running", func() bool { return f.in(deferred.Running, long) == len(long) })
	f.settled(short[0])
	states, running := f.survey(slices.Concat(long, short, later))
	f.server.Kill()
	killed := time.Now()
	f.until("no heartbeat is left, as if all workers were dead", func() bool { return time.Since(killed) > driver.HeartbeatTTL })
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
	t.Logf("%d calls; when the server was killed %v, and some being submitted", len(ids), states)
	f.conclude()
}

// survey counts the states of calls, and tells who performs those that run.
func (f *fleet) survey(ids []deferred.ID) (states map[deferred.State]int, running map[deferred.ID]deferred.Token) {
	f.t.Helper()
	states, running = map[deferred.State]int{}, map[deferred.ID]deferred.Token{}
	for _, id := range ids {
		r, err := f.queue.Record(f.ctx, id)
		if err != nil {
			f.t.Fatal(err)
		}
		states[r.State]++
		if r.State == deferred.Running {
			running[id] = r.Token
		}
	}
	return states, running
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
