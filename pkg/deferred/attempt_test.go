package deferred_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
)

func TestHooksAreCalledOnceWhicheverComesFirst(t *testing.T) {
	for _, order := range []string{"hook first", "revoked first"} {
		var a deferred.Attempt
		var causes []error
		hook := func() { a.OnRevoke(func(cause error) { causes = append(causes, cause) }) }
		if a.Revoked() != nil {
			t.Error("a new attempt is revoked")
		}
		if order == "hook first" {
			hook()
		}
		a.Revoke(deferred.ErrLost)
		if order == "revoked first" {
			hook()
		}
		a.Revoke(deferred.ErrCancelled)
		if len(causes) != 1 || !errors.Is(causes[0], deferred.ErrLost) {
			t.Errorf("%s: called with %v, want ErrLost once", order, causes)
		}
		if !errors.Is(a.Revoked(), deferred.ErrLost) {
			t.Errorf("%s: revoked for %v, want the first cause", order, a.Revoked())
		}
	}
}

func TestEveryHookIsCalled(t *testing.T) {
	var a deferred.Attempt
	var called int
	for range 3 {
		a.OnRevoke(func(error) { called++ })
	}
	a.Revoke(deferred.ErrLost)
	a.OnRevoke(func(error) { called++ })
	if called != 4 {
		t.Errorf("%d of 4 hooks were called", called)
	}
}

func TestAHookMayAskTheAttempt(t *testing.T) {
	var a deferred.Attempt
	var seen error
	a.OnRevoke(func(error) { seen = a.Revoked() })
	a.Revoke(deferred.ErrLost)
	if !errors.Is(seen, deferred.ErrLost) {
		t.Errorf("within the hook the attempt is revoked for %v", seen)
	}
}

func TestHooksAndRevocationsMayRace(t *testing.T) {
	for range 200 {
		var a deferred.Attempt
		var called atomic.Int64
		var group sync.WaitGroup
		group.Go(func() { a.Revoke(deferred.ErrLost) })
		group.Go(func() { a.Revoke(deferred.ErrCancelled) })
		for range 2 {
			group.Go(func() { a.OnRevoke(func(error) { called.Add(1) }) })
		}
		group.Wait()
		if called.Load() != 2 {
			t.Fatalf("two hooks were called %d times", called.Load())
		}
	}
}

func TestInputIsWhatTheCallHasOrWhatItFollows(t *testing.T) {
	own, result := deferred.JSON([]byte(`"own"`)), deferred.JSON([]byte(`"result"`))
	failure := &deferred.Failure{Kind: "payment", Message: "no funds", Attempt: 2}
	succeeded := &deferred.Parent{ID: "p", Outcome: deferred.Outcome{State: deferred.Succeeded, Result: result}}
	failed := &deferred.Parent{ID: "p", Outcome: deferred.Outcome{State: deferred.Failed, Failure: failure}}
	silent := &deferred.Parent{ID: "p", Outcome: deferred.Outcome{State: deferred.Expired}}
	for name, test := range map[string]struct {
		attempt *deferred.Attempt
		want    deferred.Content
	}{
		"arguments":              {&deferred.Attempt{Args: own}, own},
		"no arguments":           {&deferred.Attempt{}, deferred.Content{}},
		"callback with its own":  {&deferred.Attempt{Args: own, Parent: succeeded}, own},
		"errback with its own":   {&deferred.Attempt{Args: own, Parent: failed}, own},
		"callback with no bytes": {&deferred.Attempt{Args: deferred.Content{Type: deferred.TypeBytes}, Parent: succeeded}, deferred.Content{Type: deferred.TypeBytes}},
		"result":                 {&deferred.Attempt{Parent: succeeded}, result},
		"failure":                {&deferred.Attempt{Parent: failed}, deferred.JSON([]byte(`{"kind":"payment","message":"no funds","attempt":2}`))},
		"no failure":             {&deferred.Attempt{Parent: silent}, deferred.JSON([]byte(`{"kind":"expired","message":"expired"}`))},
	} {
		got, err := test.attempt.Input()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got, same); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestAFailureIsReadBackFromTheInput(t *testing.T) {
	want := &deferred.Failure{Kind: "payment", Message: "no funds", Chain: []deferred.Cause{{Kind: "error", Message: "EOF"}}, Stack: "s", Attempt: 2, Worker: "w"}
	a := deferred.Attempt{Parent: &deferred.Parent{Outcome: deferred.Outcome{State: deferred.Failed, Failure: want}}}
	in, err := a.Input()
	if err != nil {
		t.Fatal(err)
	}
	var got *deferred.Failure
	if err := in.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// scribe is a ledger that only takes notes.
type scribe struct {
	deferred.Ledger
	id   deferred.ID
	note deferred.Note
	err  error
}

func (s *scribe) Annotate(_ context.Context, id deferred.ID, n deferred.Note) error {
	s.id, s.note = id, n
	return s.err
}

func TestAHandlerAnnotatesItsOwnDeferred(t *testing.T) {
	s := &scribe{}
	a := &deferred.Attempt{Offer: deferred.Offer{ID: "mine"}, Ledger: s}
	ctx := deferred.WithAttempt(t.Context(), a)
	if got := deferred.AttemptFrom(ctx); got != a {
		t.Errorf("the context gives %p, want %p", got, a)
	}
	if err := deferred.Report(ctx, deferred.Progress{Done: 1, Total: 4, Message: "m"}); err != nil {
		t.Fatal(err)
	}
	want := deferred.Note{Key: "progress", Value: json.RawMessage(`{"done":1,"total":4,"message":"m"}`)}
	if diff := cmp.Diff(want, s.note); diff != "" || s.id != "mine" {
		t.Errorf("on %q: %s", s.id, diff)
	}
	s.err = io.EOF
	if err := deferred.Annotate(ctx, "k", 1); !errors.Is(err, io.EOF) {
		t.Errorf("the ledger's error came as %v", err)
	}
}

func TestOutsideAHandlerThereIsNothingToAnnotate(t *testing.T) {
	if deferred.AttemptFrom(t.Context()) != nil {
		t.Error("there is an attempt")
	}
	for _, ctx := range []context.Context{t.Context(), deferred.WithAttempt(t.Context(), &deferred.Attempt{})} {
		if err := deferred.Annotate(ctx, "k", 1); !errors.Is(err, deferred.ErrNoAttempt) {
			t.Errorf("got %v, want ErrNoAttempt", err)
		}
	}
}

func TestAnnotationsThatDoNotEncodeAreRefused(t *testing.T) {
	err := deferred.Open(&scribe{}, "a").Annotate(t.Context(), "k", make(chan int))
	refused(t, err, deferred.FieldNote)
	var cause *json.UnsupportedTypeError
	if !errors.As(err, &cause) {
		t.Errorf("%v does not wrap why", err)
	}
}
