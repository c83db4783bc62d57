package integration

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"zasync/integration/internal/proc"
	"zasync/pkg/deferred"
)

func TestRunningCallsOfAKilledWorkerEndElsewhere(t *testing.T) {
	const n = 50
	f := newFleet(t)
	victim := f.zworker("--name", "victim", "--slots", fmt.Sprint(n))
	f.joined(victim)
	ids := f.submit(naps(n, "8s")...)
	f.until("all are running", func() bool { return f.in(deferred.Running, ids) == n })
	heir := f.zworker("--name", "heir", "--slots", fmt.Sprint(n))
	incarnation := f.seasoned(heir).Incarnation
	if left := f.in(deferred.Running, ids); left != n {
		t.Fatalf("only %d of %d are running still, so there is nothing to be seen", left, n)
	}
	killed := time.Now()
	victim.Kill()
	for _, id := range ids {
		f.until("it runs elsewhere", func() bool {
			r, err := f.queue.Record(f.ctx, id)
			return err == nil && r.Token.Worker == incarnation
		})
	}
	t.Logf("all %d calls were running elsewhere %s after the kill", n, time.Since(killed).Round(10*time.Millisecond))
	for _, id := range ids {
		if r := f.ends(id, deferred.Succeeded, 2, deferred.Counts{Deaths: 1}); r.Token.Worker != incarnation {
			t.Errorf("%s was ended by %s", id, r.Token.Worker)
		}
	}
	f.conclude()
}

func TestWorkerThatWasStoppedBeyondItsLeaseCannotCommit(t *testing.T) {
	f := newFleet(t)
	dir := t.TempDir()
	zombie, openZombie := f.gatekeeper("zombie", "default,own", dir)
	f.joined(zombie)
	call := gate.Call("")
	id := f.submit(call)[0]
	f.until("it is running", func() bool { return f.in(deferred.Running, []deferred.ID{id}) == 1 })
	heir, openHeir := f.gatekeeper("heir", "default", dir)
	f.seasoned(heir)
	stopped := time.Now()
	zombie.Signal(syscall.SIGSTOP)
	f.until("another worker has taken over", func() bool {
		r, err := f.queue.Record(f.ctx, id)
		return err == nil && r.Attempt == 2 && r.State == deferred.Running
	})
	t.Logf("it was taken over %s after the stop", time.Since(stopped).Round(10*time.Millisecond))
	zombie.Signal(syscall.SIGCONT)
	openZombie() // its outcome comes first, and then it goes on
	call.Queue = "own"
	if by := nameIn(f.ends(f.submit(call)[0], deferred.Succeeded, 1, deferred.Counts{})); by != "zombie" {
		t.Errorf("the next one was performed by the %s", by)
	}
	openHeir()
	if by := nameIn(f.ends(id, deferred.Succeeded, 2, deferred.Counts{Deaths: 1})); by != "heir" {
		t.Errorf("its outcome is that of the %s", by)
	}
	f.conclude()
}

func TestTerminatedWorkerEndsWhatRunsAndLeavesTheRest(t *testing.T) {
	f := newFleet(t)
	leaver := f.zworker("--name", "leaver", "--slots", "2")
	own := f.joined(leaver).Incarnation
	// Short calls first, so that it claims the next ones ahead of its slots.
	for _, id := range f.submit(naps(300, "0s")...) {
		f.ends(id, deferred.Succeeded, 1, deferred.Counts{})
	}
	ids := f.submit(naps(8, "2s")...)
	f.until("two have begun", func() bool { return f.begun(ids) == 2 })
	leaver.Signal(syscall.SIGTERM)
	leaver.Err.Await(f.ctx, t, "worker stops")
	f.joined(f.zworker("--name", "heir"))
	if exit := leaver.Wait(f.ctx); exit != (proc.Exit{}) {
		t.Errorf("it ended with %+v", exit)
	}
	ended := 0
	for _, id := range ids {
		if r := f.ends(id, deferred.Succeeded, 1, deferred.Counts{}); r.Token.Worker == own {
			ended++
		}
	}
	if ended != 2 {
		t.Errorf("the worker that left has ended %d calls, not the 2 that were running", ended)
	}
	f.conclude()
}

func TestSecondSignalEndsAWorkerAtOnce(t *testing.T) {
	f := newFleet(t)
	leaver := f.zworker("--name", "leaver", "--slots", "2")
	f.joined(leaver)
	ids := f.submit(naps(4, "3s")...)
	f.until("two have begun", func() bool { return f.begun(ids) == 2 })
	leaver.Signal(syscall.SIGTERM)
	leaver.Err.Await(f.ctx, t, "worker stops")
	leaver.Signal(syscall.SIGTERM)
	if exit := leaver.Wait(f.ctx); exit.Signal != syscall.SIGTERM {
		t.Errorf("it ended with %+v", exit)
	}
	f.zworker("--name", "heir")
	deaths := 0
	for _, id := range ids {
		r := f.settled(id)
		deaths += r.Counts.Deaths
		f.ends(id, deferred.Succeeded, 1+r.Counts.Deaths, deferred.Counts{Deaths: r.Counts.Deaths})
	}
	if deaths != 2 {
		t.Errorf("%d deaths are counted, not one for each of the 2 that were running", deaths)
	}
	f.conclude()
}
