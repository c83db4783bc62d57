package memory_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"zasync/pkg/deferred"
)

// Of an attempt that was late to begin a cancel is told without the delay after
// which others are watched: it may come right after the last look.
func TestCancelReachesAConfirmedAttemptAtOnce(t *testing.T) {
	live(t, func(l *life) {
		l.submit(deferred.Call{ID: "a", Name: "greet"})
		l.work(func(next func() (deferred.Feed, *deferred.Attempt)) {
			feed, a := next()
			if err := errors.Join(a.Confirm(l.Context()), a.Revoked()); err != nil {
				l.Fatal(err)
			}
			if err := l.Open("a").Cancel(l.Context(), "not needed"); err != nil {
				l.Fatal(err)
			}
			synctest.Wait()
			if err := a.Revoked(); !errors.Is(err, deferred.ErrCancelled) {
				l.Errorf("revoked because of %v", err)
			}
			_ = feed.Settle(l.Context(), a, deferred.Outcome{State: deferred.Pending})
		})
	})
}
