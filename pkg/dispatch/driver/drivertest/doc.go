// Package drivertest has the contracts of the two seams of package driver as code,
// and a way to make either of them fail.
//
// [TestStore] and [TestBroker] are run by the tests of every implementation:
//
//	drivertest.TestStore(t, synctest.Test, func(t *testing.T) driver.Store { ... })
//
// They wait for each event with a deadline far beyond any reasonable delay. Of time they
// assert only that no event comes too early, so that a slow machine fails no test.
//
// [Faults] stands between one worker process and its store and broker, and lets a
// chosen operation fail, get lost, or be the last operation of the process.
package drivertest

import (
	"context"
	"testing"
	"time"
)

// A Clock runs a subtest by some clock: synctest.Test for what blocks only on
// channels and timers, [RealClock] for what talks to a server. It is a
// parameter because a synctest bubble cannot have subtests: the suite opens the
// subtest, then the bubble in it.
type Clock func(t *testing.T, f func(t *testing.T))

// RealClock runs f as it is.
func RealClock(t *testing.T, f func(t *testing.T)) { f(t) }

// Patience is how long the suites wait for something that must happen.
const Patience = time.Minute

// Patiently is a context that ends when there is no hope left.
func Patiently(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), Patience)
}

// Eventually waits until the condition holds.
func Eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := Patiently(t)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// conclusively tries something until its outcome can be told from that of a
// stalled machine. It is for the few things that must happen within the lease.
func conclusively(t *testing.T, what string, happens func() bool) {
	t.Helper()
	for range 5 {
		if happens() {
			return
		}
	}
	t.Fatalf("tried in vain: %s", what)
}
