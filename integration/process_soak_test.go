package integration

import (
	"errors"
	"flag"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"zasync/integration/internal/proc"
	"zasync/pkg/deferred"
)

var soakSeed = flag.Uint64("soak.seed", 0, "seed of the soak test; 0 is a random one")

// soaking is a run of the soak test.
type soaking struct {
	*fleet
	journal   string
	calls     []soakCall
	submitted atomic.Int64
	cancelled sync.Map // those whose cancel was acknowledged
}

func TestEveryPromiseHoldsWhileWorkersAndTheServerAreKilled(t *testing.T) {
	seed := *soakSeed
	for seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-soak.seed %d", seed)
	s := &soaking{fleet: newFleet(t), journal: filepath.Join(t.TempDir(), "journal"), calls: planSoak(seed, 300)}
	s.joined(s.soaker("steady"))
	victim := s.soaker("victim")
	s.joined(victim)

	submitting := make(chan struct{})
	go func() { s.submitAll(); close(submitting) }()
	s.killAtWork(victim, 50)
	victim = s.soaker("victim")
	s.until("half is submitted", func() bool { return s.submitted.Load() > 150 })
	s.restart()
	s.joined(victim)
	s.killAtWork(victim, 220)
	s.soaker("victim")
	<-submitting

	s.check()
	s.conclude()
}

func (s *soaking) soaker(name string) *proc.Process {
	s.t.Helper()
	return proc.Start(s.t, role("soaker", s.url(), name, s.journal))
}

// killAtWork kills the victim when so many calls are submitted, and it is
// performing some.
func (s *soaking) killAtWork(victim *proc.Process, after int64) {
	s.t.Helper()
	s.until("the victim is at work", func() bool {
		return s.submitted.Load() >= after && slices.ContainsFunc(s.performances(), func(p performance) bool {
			return p.worker == "victim" && p.begun > p.ended
		})
	})
	victim.Kill()
}

func (s *soaking) performances() []performance {
	var all []performance
	for _, ps := range readSoak(s.t, s.journal) {
		all = append(all, ps...)
	}
	return all
}

// submitAll submits a few calls at a time, cancels some, and tries again
// whatever is not known to be stored.
func (s *soaking) submitAll() {
	tick := time.NewTicker(5 * glance)
	defer tick.Stop()
	var cancels sync.WaitGroup
	defer cancels.Wait()
	for chunk := range slices.Chunk(s.calls, 10) {
		calls := make([]deferred.Call, len(chunk))
		for i := range chunk {
			calls[i] = chunk[i].Call
		}
		for s.ctx.Err() == nil {
			if _, err := s.queue.Submit(s.ctx, calls...); err == nil {
				break
			}
			<-tick.C
		}
		for _, c := range chunk {
			if c.cancel {
				cancels.Go(func() { s.cancel(c.ID) })
			}
		}
		s.submitted.Add(int64(len(chunk)))
		<-tick.C
	}
}

// cancel tries until it knows what has become of it.
func (s *soaking) cancel(id deferred.ID) {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for s.ctx.Err() == nil {
		err := s.queue.Open(id).Cancel(s.ctx, "as planned")
		var late *deferred.SettledError
		if err == nil {
			s.cancelled.Store(id, true)
		}
		if err == nil || errors.As(err, &late) {
			return
		}
		<-tick.C
	}
}
