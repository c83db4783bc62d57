package memory_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/memory"
)

// life is a queue of which all is kept for a minute.
type life struct {
	*testing.T
	*dispatch.Queue
	store driver.Store
}

func live(t *testing.T, test func(l *life)) {
	synctest.Test(t, func(t *testing.T) {
		pair := memory.New(memory.Config{})
		test(&life{t, dispatch.New(pair.Store, pair.Broker, dispatch.Config{
			KeepSucceeded: time.Minute, KeepOthers: time.Minute, Logger: slog.New(slog.DiscardHandler),
		}), pair.Store})
	})
}

// work has a worker do something to attempts, and leave.
func (l *life) work(do func(next func() (deferred.Feed, *deferred.Attempt))) {
	l.Helper()
	feed, err := l.Join(l.Context(), deferred.Worker{})
	if err != nil {
		l.Fatal(err)
	}
	feed.Want(deferred.Lane{Queue: deferred.DefaultQueue, Name: "greet"}, 1)
	do(func() (deferred.Feed, *deferred.Attempt) {
		l.Helper()
		o, err := feed.Next(l.Context())
		if err != nil {
			l.Fatal(err)
		}
		a, err := feed.Claim(l.Context(), o)
		if err != nil {
			l.Fatal(err)
		}
		return feed, a
	})
	if err := feed.Leave(l.Context()); err != nil {
		l.Fatal(err)
	}
}

func (l *life) submit(c deferred.Call) {
	l.Helper()
	if _, err := deferred.SubmitOne(l.Context(), l, c); err != nil {
		l.Fatal(err)
	}
}

// stored are the notes that take up room, read or not.
func (l *life) stored() (notes int) {
	l.Helper()
	for _, err := range l.store.List(l.Context(), driver.Query{Space: driver.Notes}) {
		if err != nil {
			l.Fatal(err)
		}
		notes++
	}
	return notes
}

// shown is the value of the annotation "k" for readers.
func (l *life) shown(id deferred.ID) string {
	l.Helper()
	for n, err := range l.Annotations(l.Context(), id) {
		if err != nil {
			l.Fatal(err)
		}
		if n.Key == "k" {
			return string(n.Value)
		}
	}
	return ""
}

func (l *life) annotate(id deferred.ID, value int) {
	l.Helper()
	if err := l.Open(id).Annotate(l.Context(), "k", value); err != nil {
		l.Fatal(err)
	}
}

func TestAnnotationStaysAsLongAsItsDeferredAndNoLonger(t *testing.T) {
	live(t, func(l *life) {
		approval, token := deferred.NewPromise("approval", "approve")
		l.submit(approval)
		l.work(func(func() (deferred.Feed, *deferred.Attempt)) {
			synctest.Wait()
			l.annotate("approval", 1)
		})
		time.Sleep(90 * 24 * time.Hour) // somebody is on a long holiday
		if l.shown("approval") != "1" {
			t.Fatal("the annotation is gone before the deferred that it is on")
		}
		l.work(func(func() (deferred.Feed, *deferred.Attempt)) {
			if err := deferred.ResolvePromise(l.Context(), l, token, true); err != nil {
				t.Fatal(err)
			}
			if _, err := l.Await(l.Context(), "approval"); err != nil {
				t.Fatal(err)
			}
			if l.shown("approval") != "1" {
				t.Error("the annotation is gone while the record is kept")
			}
			time.Sleep(5 * time.Minute)
		})
		if _, err := l.Record(l.Context(), "approval"); !errors.Is(err, deferred.ErrNotFound) {
			t.Fatal("the record is kept for longer than it should be:", err)
		}
		if n := l.stored(); n != 0 {
			t.Errorf("%d annotations are left of a deferred that is gone", n)
		}
	})
}

func TestAnnotationOfACallThatNobodyHasMetIsNotSwept(t *testing.T) {
	live(t, func(l *life) {
		l.submit(deferred.Call{ID: "a", Name: "nobody-serves-this"})
		l.annotate("a", 1)
		l.work(func(func() (deferred.Feed, *deferred.Attempt)) { time.Sleep(10 * time.Minute) })
		if l.shown("a") != "1" {
			t.Error("it was swept")
		}
	})
}

func TestNewDeferredOfAnOldIDHasNoneOfTheOldAnnotations(t *testing.T) {
	live(t, func(l *life) {
		again := deferred.OutcomeOf(deferred.RetryAfter(time.Second, errors.New("not yet")))
		nightly := deferred.Call{ID: "nightly", Name: "greet"}
		l.submit(nightly)
		l.work(func(next func() (deferred.Feed, *deferred.Attempt)) {
			feed, a := next()
			if err := feed.Settle(l.Context(), a, again); err != nil {
				t.Fatal(err)
			}
			feed, a = next()
			if err := deferred.SaveCheckpoint(deferred.WithAttempt(l.Context(), a), "of yesterday"); err != nil {
				t.Fatal(err)
			}
			l.annotate("nightly", 1)
			if err := feed.Settle(l.Context(), a, deferred.Outcome{State: deferred.Succeeded}); err != nil {
				t.Fatal(err)
			}
		})
		time.Sleep(24 * time.Hour) // with no worker that would sweep
		l.submit(nightly)
		if got := l.shown("nightly"); got != "" {
			t.Error("the old annotation is shown:", got)
		}
		l.watches("nightly", "")
		l.annotate("nightly", 2) // though the old one is of a later attempt
		l.watches("nightly", "2")
		l.work(func(next func() (deferred.Feed, *deferred.Attempt)) {
			feed, a := next()
			if err := feed.Settle(l.Context(), a, again); err != nil {
				t.Fatal(err)
			}
			if feed, a = next(); a.Checkpoint != nil {
				t.Errorf("the second attempt was handed the checkpoint %s", a.Checkpoint)
			}
			if err := feed.Settle(l.Context(), a, deferred.Outcome{State: deferred.Succeeded}); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// watches fails the test unless whoever begins to watch is shown this value.
func (l *life) watches(id deferred.ID, want string) {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), time.Second)
	defer cancel()
	got := ""
	for c, err := range l.Watch(ctx, id) {
		if err == nil && c.Note != nil && c.Note.Key == "k" {
			got = string(c.Note.Value)
		}
	}
	if got != want {
		l.Errorf("watched %q, want %q", got, want)
	}
}
