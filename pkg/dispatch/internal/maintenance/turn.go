package maintenance

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

// TurnKey is the entry of the worker whose turn it is. It lies beside the heartbeats, and
// expires like them when its worker dies. Its name is no incarnation: those are ids.
var TurnKey = driver.Key{Space: driver.Workers, Name: "=sweeper"}

// seldomSweep is how many turns of other workers this one respects at most: a client that
// may write heartbeats can pretend to have the turn.
const seldomSweep = 1000

// A Turn is one worker's view of whose turn it is. Only compare-and-set decides that; the
// value under the key is for people.
type Turn struct {
	store       driver.Store
	incarnation string

	mu       sync.Mutex
	revision uint64 // of the entry as this worker wrote it; 0: another worker has the turn
	left     int    // turns of others that are still respected
}

func NewTurn(s driver.Store, incarnation string) *Turn {
	return &Turn{store: s, incarnation: incarnation, left: 1 + rand.N(seldomSweep)}
}

// Take reports whether this worker does the round now.
func (s *Turn) Take(ctx context.Context) bool {
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

// Run renews the turn while this worker has it.
func (s *Turn) Run(ctx context.Context) {
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

func (s *Turn) keep(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision != 0 {
		s.write(ctx, s.revision)
	}
}

// write takes the turn or renews it. A write that was refused or got no answer loses the
// turn: then another worker takes it, or this one when the key has expired.
func (s *Turn) write(ctx context.Context, expect uint64) {
	short, cancel := context.WithTimeout(ctx, liveness.BeatEvery)
	defer cancel()
	value, _ := json.Marshal(map[string]string{"incarnation": s.incarnation}) // a string
	w := s.store.Write(short, []driver.Write{{Key: TurnKey, Value: value, Expect: expect}})[0]
	if s.revision = w.Revision; w.Err != nil {
		s.revision = 0
	}
}

// Leave deletes the entry, so that another worker need not wait until it expires.
func (s *Turn) Leave(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision != 0 {
		s.store.Write(ctx, []driver.Write{{Key: TurnKey, Expect: s.revision, Delete: true}})
		s.revision = 0
	}
}
