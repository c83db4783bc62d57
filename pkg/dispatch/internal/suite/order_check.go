package suite

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

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
	s.checkRuns()
	if s.after != nil {
		s.after(ctx, s)
	}
}

// checkRuns: no attempt was performed twice, and no call more often than it asks
// for. A worker that died may have performed what it could not say; and whoever is
// told that his annotation was not stored may try again.
func (s *story) checkRuns() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, attempts := range s.runs {
		for number, n := range attempts {
			if n > 1 {
				s.t.Errorf("attempt %d of %s was performed %d times", number, id, n)
			}
		}
		if s.times[id] == 0 {
			s.t.Errorf("%s was performed", id)
		}
	}
	more := s.faults.Mode.Kills() || strings.HasPrefix(s.faults.Faulty(), "write notes ")
	for id, want := range s.times {
		if got := len(s.runs[id]); got == 0 || got != want && !more {
			s.t.Errorf("%s was performed %d times, want %d", id, got, want)
		}
	}
}

// short is a text that can be shown.
func short(s string) string {
	if len(s) < 1000 {
		return s
	}
	return fmt.Sprintf("%s... of %d bytes, %x", s[:10], len(s), sha256.Sum256([]byte(s)))
}

func outcome(r *deferred.Record) string {
	if r.State == deferred.Succeeded {
		return string(r.State) + " " + short(string(r.Result.Data))
	}
	return string(r.State) + " " + r.Failure.Kind
}

// checkEmpty waits until no message is left and every record may be forgotten.
func (s *story) checkEmpty(ctx context.Context) {
	var left []string
	holds := func() bool {
		left = nil
		for _, route := range []driver.Route{driver.Ready, driver.Later, driver.Commands, driver.Delay, driver.Due} {
			for d, err := range s.pair.Broker.Pending(ctx, driver.Page{Route: route}) {
				if err == nil && route == driver.Delay && d.Header[wire.HeaderWake] != "" {
					continue // the alarm of what has settled before it rang: it fires into nothing
				}
				left = append(left, fmt.Sprintf("message %s %s %v", route, d.ID, err))
			}
		}
		if len(left) > 0 { // reading all records is not cheap
			return false
		}
		for r, err := range s.truth.List(ctx, dispatch.Filter{}) {
			if err != nil || r.Parent != nil && !r.Parent.Released || r.Unfired() || r.Carried || r.Waits != nil && r.Waits.Mode != deferred.AfterParent && !r.Waits.Released {
				left = append(left, fmt.Sprintf("record %s %s %v", r.ID, r.State, err))
			}
			for _, cb := range r.Callbacks {
				if !cb.Settled || !cb.Fired {
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
			s.t.Fatalf("left behind: %v; operations %q", before, s.faults.Trace())
		}
	}
}
