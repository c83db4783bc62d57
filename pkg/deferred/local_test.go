package deferred_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
)

const answer deferred.Func[struct{}, int] = "answer"

// started gives a deferred whose function waits until it is let go.
func started(t *testing.T) (d *deferred.Deferred, letGo func()) {
	t.Helper()
	gate := make(chan struct{})
	d = deferred.Go(t.Context(), func(ctx context.Context) (int, error) {
		select {
		case <-gate:
			return 42, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	})
	return d, func() { close(gate) }
}

func TestManyWaitForOneDeferredOfThisProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, letGo := started(t)
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				if got, err := answer.Await(t.Context(), d); err != nil || got != 42 {
					t.Errorf("got %v, %v", got, err)
				}
			})
		}
		synctest.Wait()
		r, err := d.Record(t.Context())
		if err != nil || r.State != deferred.Running || r.ID != d.ID() {
			t.Errorf("before, the record is %+v, %v", r, err)
		}
		letGo()
		group.Wait()
		r, err = d.Record(t.Context())
		if err != nil || r.State != deferred.Succeeded || r.Settled.IsZero() {
			t.Errorf("after, the record is %+v, %v", r, err)
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, letGo := started(t)
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Hour, errors.New("too long"))
		defer cancel()
		if _, err := d.Await(ctx); err == nil || err.Error() != "too long" {
			t.Errorf("got %v, want the cause", err)
		}
		letGo()
		if o, err := d.Await(t.Context()); err != nil || o.State != deferred.Succeeded {
			t.Errorf("the deferred suffered from it: %+v, %v", o, err)
		}
		if o, err := d.Await(ctx); err != nil || o.State != deferred.Succeeded {
			t.Errorf("what is known needs no waiting: %+v, %v", o, err)
		}
	})
}

func TestCancelSettlesAtOnceAndTellsTheFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := make(chan error, 1)
		d := deferred.Go(t.Context(), func(ctx context.Context) (int, error) {
			<-ctx.Done()
			told <- context.Cause(ctx)
			return 42, nil
		})
		if err := d.Cancel(t.Context(), "enough"); err != nil {
			t.Fatal(err)
		}
		o, err := d.Await(t.Context())
		if err != nil || !errors.Is(o.Err(), deferred.ErrCancelled) || o.Failure.Message != "enough" {
			t.Errorf("got %+v, %v", o, err)
		}
		if cause := <-told; !errors.Is(cause, deferred.ErrCancelled) {
			t.Errorf("the function was told %v", cause)
		}
		synctest.Wait() // the function has returned 42
		if o, err := d.Await(t.Context()); err != nil || o.State != deferred.Cancelled {
			t.Errorf("the outcome changed to %+v, %v", o, err)
		}
		if err := d.Cancel(t.Context(), "again"); err != nil {
			t.Errorf("cancelling what is cancelled: %v", err)
		}
	})
}

func TestCancelThatComesTooLateSaysSo(t *testing.T) {
	for want, d := range map[deferred.State]*deferred.Deferred{
		deferred.Succeeded: deferred.Resolved(1), deferred.Failed: deferred.Rejected(errors.New("no")),
	} {
		var settled *deferred.SettledError
		if err := d.Cancel(t.Context(), ""); !errors.As(err, &settled) || settled.State != want || settled.ID != d.ID() {
			t.Fatalf("got %v, want a SettledError of %s", err, want)
		}
		if o, err := d.Await(t.Context()); err != nil || !reflect.DeepEqual(o, settled.Outcome) {
			t.Errorf("it tells %+v, and the deferred ended %+v (%v)", settled.Outcome, o, err)
		}
	}
}

// However cancel and success race, what cancel says is what stands.
func TestCancelAndSuccessAgreeOnWhoWasFirst(t *testing.T) {
	for range 500 {
		gate := make(chan struct{})
		d := deferred.Go(t.Context(), func(context.Context) (int, error) { <-gate; return 1, nil })
		var said error
		var group sync.WaitGroup
		group.Go(func() { close(gate) })
		group.Go(func() { said = d.Cancel(t.Context(), "") })
		group.Wait()
		o, err := d.Await(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if (said == nil) != (o.State == deferred.Cancelled) {
			t.Fatalf("cancel said %v, and it is %s", said, o.State)
		}
	}
}

func TestCommandsThatAreNotKnownAreRefused(t *testing.T) {
	var l deferred.Ledger
	d := deferred.Go(t.Context(), func(ctx context.Context) (int, error) {
		l = deferred.AttemptFrom(ctx).Ledger
		return 1, nil
	})
	if _, err := d.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Do(t.Context(), deferred.Command{Verb: "hold", ID: d.ID()}); err == nil || !strings.Contains(err.Error(), `"hold"`) {
		t.Errorf("got %v", err)
	}
}

func TestAnotherIDIsNotFound(t *testing.T) {
	var l deferred.Ledger
	d := deferred.Go(t.Context(), func(ctx context.Context) (int, error) {
		l = deferred.AttemptFrom(ctx).Ledger
		return 1, nil
	})
	if _, err := d.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	other := deferred.Open(l, "other")
	_, recordErr := other.Record(t.Context())
	_, awaitErr := other.Await(t.Context())
	errs := []error{recordErr, awaitErr, other.Cancel(t.Context(), ""), other.Annotate(t.Context(), "k", 1)}
	for _, err := range other.Annotations(t.Context()) {
		errs = append(errs, err)
	}
	for _, err := range other.Watch(t.Context()) {
		errs = append(errs, err)
	}
	if len(errs) != 6 {
		t.Errorf("got %d answers, want 6", len(errs))
	}
	for i, err := range errs {
		if !errors.Is(err, deferred.ErrNotFound) {
			t.Errorf("answer %d is %v, want ErrNotFound", i, err)
		}
	}
}

func TestAFunctionThatPanicsHasFailed(t *testing.T) {
	d := deferred.Go(t.Context(), func(context.Context) (int, error) { panic("ouch") })
	o, err := d.Await(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f := o.Failure; o.State != deferred.Failed || f.Kind != deferred.KindPanic || f.Message != "ouch" || !strings.Contains(f.Stack, "local_test.go") {
		t.Errorf("got %+v", f)
	}
}

func TestAFunctionThatExitsItsGoroutineHasFailed(t *testing.T) {
	d := deferred.Go(t.Context(), func(context.Context) (int, error) { runtime.Goexit(); return 1, nil })
	if o, err := d.Await(t.Context()); err != nil || o.State != deferred.Failed || o.Failure.Message == "" {
		t.Errorf("got %+v, %v", o, err)
	}
}

func TestAnErrorAndAResultThatDoesNotEncodeAreFailures(t *testing.T) {
	failed := deferred.Go(t.Context(), func(context.Context) (int, error) { return 1, &declined{"payment"} })
	unfit := deferred.Go(t.Context(), func(context.Context) (chan int, error) { return nil, nil })
	for d, want := range map[*deferred.Deferred]string{failed: "payment", unfit: "error", deferred.Resolved(func() {}): "error"} {
		o, err := d.Await(t.Context())
		if err != nil || o.State != deferred.Failed || o.Failure.Kind != want {
			t.Errorf("got %+v, %v; want kind %s", o, err, want)
		}
	}
}

func TestResolvedAndRejectedAreSettledFromTheStart(t *testing.T) {
	if got, err := answer.Await(t.Context(), deferred.Resolved(42)); err != nil || got != 42 {
		t.Errorf("got %v, %v", got, err)
	}
	want := &deferred.Failure{Kind: "payment", Message: "no funds"}
	o, err := deferred.Rejected(fmt.Errorf("a: %w", &declined{"payment"})).Await(t.Context())
	if err != nil || o.State != deferred.Failed || o.Failure.Kind != want.Kind {
		t.Errorf("got %+v, %v", o, err)
	}
	if o, err := deferred.Rejected(nil).Await(t.Context()); err != nil || o.State != deferred.Failed {
		t.Errorf("rejected without an error: %+v, %v", o, err)
	}
}

func TestAnnotationOfAFunctionThatHasReturnedIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handed := make(chan context.Context, 1)
		d := deferred.Go(t.Context(), func(ctx context.Context) (int, error) {
			handed <- ctx
			return 1, nil
		})
		if _, err := d.Await(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := deferred.Annotate(<-handed, "k", 1); !errors.Is(err, deferred.ErrLost) {
			t.Errorf("an annotation after the outcome was answered with %v", err)
		}
		for n, err := range d.Annotations(t.Context()) {
			t.Errorf("it has the annotation %s (%v)", n.Key, err)
		}
		if err := d.Annotate(t.Context(), "seen", true); err != nil {
			t.Errorf("an annotation of another was answered with %v", err)
		}
	})
}

func TestAFunctionAnnotatesItsDeferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		d := deferred.Go(t.Context(), func(ctx context.Context) (int, error) {
			for i := range 3 {
				if err := deferred.Report(ctx, deferred.Progress{Done: float64(i + 1), Total: 3}); err != nil {
					return 0, err
				}
			}
			<-gate
			return 1, nil
		})
		synctest.Wait()
		if err := d.Annotate(t.Context(), "seen", true); err != nil {
			t.Fatal(err)
		}
		refused(t, d.Annotate(t.Context(), "a.b", true), deferred.FieldNoteKey)
		notes := map[string]string{}
		for n, err := range d.Annotations(t.Context()) {
			if err != nil || n.Attempt != 1 || !n.Time.Equal(time.Now()) {
				t.Errorf("got %+v, %v", n, err)
			}
			notes[n.Key] = string(n.Value)
		}
		if diff := cmp.Diff(map[string]string{"progress": `{"done":3,"total":3}`, "seen": "true"}, notes); diff != "" {
			t.Error(diff)
		}
		for _, err := range d.Annotations(t.Context()) { // not to the end
			if err != nil {
				t.Error(err)
			}
			break
		}
		close(gate)
	})
}

// story tells what a watcher saw, in words.
func story(ctx context.Context, d *deferred.Deferred, saw func(string)) {
	for c, err := range d.Watch(ctx) {
		switch {
		case err != nil:
			saw("error: " + err.Error())
		case c.Note != nil:
			saw(c.Note.Key + "=" + string(c.Note.Value))
		default:
			saw(string(c.Record.State))
		}
	}
}

func TestAWatcherSeesEachChangeOnceAndTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, letGo := started(t)
		set := func(key string, value any) {
			t.Helper()
			if err := d.Annotate(t.Context(), key, value); err != nil {
				t.Fatal(err)
			}
		}
		set("a", 1)
		var saw []string
		var group sync.WaitGroup
		group.Go(func() { story(t.Context(), d, func(s string) { saw = append(saw, s) }) })
		synctest.Wait()
		set("a", 2) // at the same time by the clock of the test
		synctest.Wait()
		set("b", json.RawMessage(`{"x":[]}`))
		synctest.Wait()
		letGo()
		group.Wait()
		want := []string{"a=1", "running", "a=2", `b={"x":[]}`, "succeeded"}
		if diff := cmp.Diff(want, saw); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAWatcherOfASettledDeferredSeesItAsItIs(t *testing.T) {
	d := deferred.Resolved(1)
	for _, key := range []string{"a", "b"} {
		if err := d.Annotate(t.Context(), key, 1); err != nil {
			t.Fatal(err)
		}
	}
	var saw []string
	story(t.Context(), d, func(s string) { saw = append(saw, s) })
	if len(saw) != 3 || saw[2] != "succeeded" {
		t.Errorf("saw %v", saw)
	}
	slices.Sort(saw)
	if diff := cmp.Diff([]string{"a=1", "b=1", "succeeded"}, saw); diff != "" {
		t.Error(diff)
	}
}

func TestWatchingEndsWithItsContextOrItsLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, letGo := started(t)
		defer letGo()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var saw []string
		story(ctx, d, func(s string) { saw = append(saw, s) })
		if diff := cmp.Diff([]string{"running", "error: context deadline exceeded"}, saw); diff != "" {
			t.Error(diff)
		}
		for _, err := range d.Watch(t.Context()) {
			if err != nil {
				t.Error(err)
			}
			break
		}
	})
}

func TestTheCallersContextReachesTheFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		d := deferred.Go(ctx, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
		cancel(errors.New("shop closed"))
		if o, err := d.Await(t.Context()); err != nil || o.State != deferred.Failed || o.Failure.Message != "shop closed" {
			t.Errorf("got %+v, %v", o, err)
		}
	})
}
