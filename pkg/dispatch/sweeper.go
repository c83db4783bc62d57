package dispatch

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

// sweeperKey is written by the worker that sweeps, each second, beside the heartbeats,
// whose space forgets it when he is gone. It is no incarnation: that is an id.
var sweeperKey = driver.Key{Space: driver.Workers, Name: "=sweeper"}

// seldomSweep is how many times the turn of another is respected at most, however
// alive he seems to be: whoever may write heartbeats may also pretend to sweep.
const seldomSweep = 1000

// sweeper is a worker's part in sweeping by turns. Whose turn it is, is decided by
// compare-and-set alone: what stands under the key is for people.
type sweeper struct {
	store       driver.Store
	incarnation string

	mu       sync.Mutex
	revision uint64 // of the key, when it was written here last; 0: it is another's turn
	left     int    // how many turns of others are respected still
}

func newSweeper(s driver.Store, incarnation string) *sweeper {
	return &sweeper{store: s, incarnation: incarnation, left: 1 + rand.N(seldomSweep)}
}

// turn reports whether this worker is to sweep now.
func (s *sweeper) turn(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision == 0 {
		s.write(ctx, 0)
	}
	if s.left--; s.revision == 0 && s.left > 0 {
		return false
	}
	s.left = seldomSweep
	return true
}

// run keeps the turn of who has it.
func (s *sweeper) run(ctx context.Context) {
	tick := time.NewTicker(liveness.BeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.keep(ctx)
		case <-ctx.Done():
			return
		}
	}
}

func (s *sweeper) keep(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision != 0 {
		s.write(ctx, s.revision)
	}
}

// write takes the turn, or keeps it. A word that was not stored, or that got no answer,
// loses it: then others sweep, or this one when the key is gone.
func (s *sweeper) write(ctx context.Context, expect uint64) {
	short, cancel := context.WithTimeout(ctx, liveness.BeatEvery)
	defer cancel()
	value, _ := json.Marshal(map[string]string{"incarnation": s.incarnation}) // a string
	w := s.store.Write(short, []driver.Write{{Key: sweeperKey, Value: value, Expect: expect}})[0]
	if s.revision = w.Revision; w.Err != nil {
		s.revision = 0
	}
}

// last gives the turn up, so that another worker need not wait for it.
func (s *sweeper) last(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision != 0 {
		s.store.Write(ctx, []driver.Write{{Key: sweeperKey, Expect: s.revision, Delete: true}})
		s.revision = 0
	}
}
