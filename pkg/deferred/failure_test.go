package deferred_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
)

// layered wraps an error under a text of its own.
type layered struct {
	text string
	err  error
}

func (e *layered) Error() string { return e.text }
func (e *layered) Unwrap() error { return e.err }

type declined struct{ kind string }

func (e *declined) Error() string { return "no funds" }
func (e *declined) Kind() string  { return e.kind }

// broken panics in every method when it is nil, as errors of a pointer type do.
type broken struct{ text, kind string }

func (e *broken) Error() string { return e.text }
func (e *broken) Kind() string  { return e.kind }
func (e *broken) Unwrap() error { return errors.New(e.text) }

// loop wraps itself.
type loop struct{}

func (e *loop) Error() string { return "round" }
func (e *loop) Unwrap() error { return e }

// knot wraps itself twice.
type knot struct{}

func (e *knot) Error() string   { return "knot" }
func (e *knot) Unwrap() []error { return []error{e, nil, e} }

func TestFailuresAreErrorsAsData(t *testing.T) {
	deep := &deferred.Failure{Kind: "remote", Message: "far away", Stack: "s", Attempt: 3, Worker: "w", Chain: []deferred.Cause{{Kind: "x", Message: "y"}}}
	for name, test := range map[string]struct {
		err  error
		want deferred.Failure
	}{
		"plain": {io.EOF, deferred.Failure{Kind: "error", Message: "EOF"}},
		"wrapped": {fmt.Errorf("read: %w", fmt.Errorf("block 1: %w", io.EOF)), deferred.Failure{Kind: "error", Message: "read: block 1: EOF", Chain: []deferred.Cause{
			{Kind: "error", Message: "block 1: EOF"}, {Kind: "error", Message: "EOF"},
		}}},
		"a kind of its own": {&declined{"payment"}, deferred.Failure{Kind: "payment", Message: "no funds"}},
		"a kind within": {fmt.Errorf("charge: %w", &declined{"payment"}), deferred.Failure{Kind: "payment", Message: "charge: no funds", Chain: []deferred.Cause{
			{Kind: "payment", Message: "no funds"},
		}}},
		"an empty kind": {&declined{}, deferred.Failure{Kind: "error", Message: "no funds"}},
		"a failure":     {deep, deferred.Failure{Kind: "remote", Message: "far away", Stack: "s", Chain: []deferred.Cause{{Kind: "x", Message: "y"}}}},
		"a failure within": {fmt.Errorf("after: %w", deep), deferred.Failure{Kind: "remote", Message: "after: remote: far away", Chain: []deferred.Cause{
			{Kind: "remote", Message: "far away"}, {Kind: "x", Message: "y"},
		}}},
		"a failure without a kind": {&deferred.Failure{Message: "m"}, deferred.Failure{Kind: "error", Message: "m"}},
		"joined": {errors.Join(io.EOF, fmt.Errorf("b: %w", &declined{"payment"})), deferred.Failure{Kind: "payment", Message: "EOF\nb: no funds", Chain: []deferred.Cause{
			{Kind: "error", Message: "EOF"}, {Kind: "payment", Message: "b: no funds"}, {Kind: "payment", Message: "no funds"},
		}}},
		"two wrapped": {fmt.Errorf("%w and %w", io.EOF, io.ErrNoProgress), deferred.Failure{Kind: "error", Message: io.EOF.Error() + " and " + io.ErrNoProgress.Error(), Chain: []deferred.Cause{
			{Kind: "error", Message: io.EOF.Error()}, {Kind: "error", Message: io.ErrNoProgress.Error()},
		}}},
		"marked": {deferred.Permanent(io.EOF), deferred.Failure{Kind: "error", Message: "EOF"}},
		"marked within": {fmt.Errorf("a: %w", deferred.RetryAfter(1, io.EOF)), deferred.Failure{Kind: "error", Message: "a: EOF", Chain: []deferred.Cause{
			{Kind: "error", Message: "EOF"},
		}}},
		"no UTF-8": {errors.New("a\xffb"), deferred.Failure{Kind: "error", Message: "a\uFFFDb"}},
	} {
		if diff := cmp.Diff(&test.want, deferred.FailureOf(test.err)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestErrorsThatPanicAreFailuresToo(t *testing.T) {
	for _, err := range []error{(*broken)(nil), (*deferred.Failure)(nil), fmt.Errorf("a: %w", (*broken)(nil)), deferred.Permanent((*broken)(nil)), errors.Join((*broken)(nil), io.EOF)} {
		f := deferred.OutcomeOf(err).Failure
		if f == nil || f.Kind != deferred.KindError || f.Message == "" {
			t.Errorf("%T became %+v", err, f)
		}
	}
}

func TestErrorsThatWrapThemselvesEnd(t *testing.T) {
	for _, err := range []error{&loop{}, &knot{}, fmt.Errorf("a: %w", &loop{}), errors.Join(&loop{}, io.EOF), deferred.Permanent(&loop{})} {
		f := deferred.OutcomeOf(err).Failure
		if len(f.Chain) == 0 || len(f.Chain) > 16 {
			t.Errorf("%v has a chain of %d", err, len(f.Chain))
		}
	}
	marks := io.EOF
	for range 1000 {
		marks = deferred.RetryAfter(time.Second, marks)
	}
	if f := deferred.FailureOf(marks); f.Message != "EOF" {
		t.Errorf("behind many marks is %+v", f)
	}
}

func TestHugeFailuresAreCut(t *testing.T) {
	huge := strings.Repeat("ä", 1<<20)
	var err error = &declined{huge}
	for range 100 {
		err = &layered{huge, err}
	}
	f := deferred.PanicOutcome(err, []byte(huge)).Failure
	inner := deferred.FailureOf(fmt.Errorf("%w", &deferred.Failure{Kind: huge, Message: huge, Stack: huge, Chain: []deferred.Cause{{Kind: huge, Message: huge}}}))
	direct := deferred.FailureOf(&deferred.Failure{Kind: huge, Message: huge, Stack: huge})
	for _, f := range []*deferred.Failure{f, inner, direct} {
		if len(f.Kind) > 80 || len(f.Message) > 5000 || len(f.Stack) > deferred.MaxStackSize || len(f.Chain) > 16 {
			t.Errorf("kept %d of the kind, %d of the message, %d of the stack, %d causes", len(f.Kind), len(f.Message), len(f.Stack), len(f.Chain))
		}
		for _, c := range f.Chain {
			if len(c.Kind) > 80 || len(c.Message) > 1100 {
				t.Errorf("kept %d of the kind, %d of the message of a cause", len(c.Kind), len(c.Message))
			}
		}
		if !strings.HasSuffix(f.Message, "ä [cut]") {
			t.Errorf("the message ends in %q", f.Message[len(f.Message)-10:])
		}
	}
}

func TestPanicsKeepWhatWasThrown(t *testing.T) {
	o := deferred.PanicOutcome(fmt.Errorf("a: %w", &declined{"payment"}), []byte("main.go:1"))
	want := deferred.Outcome{State: deferred.Failed, Failure: &deferred.Failure{
		Kind: deferred.KindPanic, Message: "a: no funds", Stack: "main.go:1",
		Chain: []deferred.Cause{{Kind: "payment", Message: "a: no funds"}, {Kind: "payment", Message: "no funds"}},
	}}
	if diff := cmp.Diff(want, o, same); diff != "" {
		t.Error(diff)
	}
	for _, v := range []any{"text", 7, nil, (*broken)(nil), struct{ A int }{1}} {
		if f := deferred.PanicOutcome(v, nil).Failure; f.Kind != deferred.KindPanic || f.Message == "" {
			t.Errorf("%v became %+v", v, f)
		}
	}
}

func TestMarksAreReadThroughWrapping(t *testing.T) {
	type advice = deferred.Advice
	for name, test := range map[string]struct {
		err   error
		state deferred.State
		want  advice
	}{
		"none":               {io.EOF, deferred.Failed, advice{}},
		"permanent":          {deferred.Permanent(io.EOF), deferred.Failed, advice{Never: true}},
		"permanent, wrapped": {fmt.Errorf("a: %w", deferred.Permanent(io.EOF)), deferred.Failed, advice{Never: true}},
		"permanent, joined":  {errors.Join(io.EOF, deferred.Permanent(io.EOF)), deferred.Failed, advice{Never: true}},
		"retry after":        {fmt.Errorf("a: %w", deferred.RetryAfter(time.Minute, io.EOF)), deferred.Failed, advice{After: time.Minute}},
		"retry at once":      {deferred.RetryAfter(-1, io.EOF), deferred.Failed, advice{After: time.Millisecond}},
		"snooze":             {deferred.Snooze(time.Hour), deferred.Scheduled, advice{After: time.Hour}},
		"snooze, wrapped":    {fmt.Errorf("a: %w", deferred.Snooze(time.Hour)), deferred.Scheduled, advice{After: time.Hour}},
		"snooze at once":     {deferred.Snooze(0), deferred.Scheduled, advice{After: time.Millisecond}},
		"outermost wins":     {deferred.Permanent(deferred.RetryAfter(time.Hour, io.EOF)), deferred.Failed, advice{Never: true}},
	} {
		o := deferred.OutcomeOf(test.err)
		if o.State != test.state {
			t.Errorf("%s: the state is %s, want %s", name, o.State, test.state)
		}
		if diff := cmp.Diff(test.want, o.Retry); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if (o.Failure != nil) != (test.state == deferred.Failed) {
			t.Errorf("%s: the failure is %v", name, o.Failure)
		}
	}
	if deferred.Permanent(nil) != nil || deferred.RetryAfter(1, nil) != nil {
		t.Error("no error became one")
	}
	if !errors.Is(deferred.Permanent(io.EOF), io.EOF) {
		t.Error("the mark hides the error")
	}
}

func TestFailuresMatchTheSentinelOfTheirKind(t *testing.T) {
	cancelled := deferred.CancelFailure("no longer needed")
	expired := &deferred.Failure{Kind: deferred.KindExpired}
	other := &deferred.Failure{Kind: "other", Message: "cancelled"}
	for _, test := range []struct {
		err    error
		target error
		want   bool
	}{
		{cancelled, deferred.ErrCancelled, true}, {cancelled, deferred.ErrExpired, false},
		{expired, deferred.ErrExpired, true}, {expired, deferred.ErrCancelled, false},
		{other, deferred.ErrCancelled, false}, {other, deferred.ErrExpired, false},
		{fmt.Errorf("a: %w", cancelled), deferred.ErrCancelled, true},
		{cancelled, context.Canceled, false}, {cancelled, cancelled, true},
	} {
		if got := errors.Is(test.err, test.target); got != test.want {
			t.Errorf("errors.Is(%v, %v) = %v", test.err, test.target, got)
		}
	}
}

func TestFailuresReadAsTheirKindAndMessage(t *testing.T) {
	for want, f := range map[string]*deferred.Failure{
		"payment: no funds":                 {Kind: "payment", Message: "no funds"},
		"no funds":                          {Kind: deferred.KindError, Message: "no funds"},
		"nothing known":                     {Message: "nothing known"},
		"cancelled: cancelled by a command": deferred.CancelFailure(""),
		"cancelled: too late":               deferred.CancelFailure("too late"),
	} {
		if got := f.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestOutcomesOtherThanSuccessAreErrors(t *testing.T) {
	if err := (deferred.Outcome{State: deferred.Succeeded}).Err(); err != nil {
		t.Errorf("success is %v", err)
	}
	f := &deferred.Failure{Kind: "k"}
	if err := (deferred.Outcome{State: deferred.Failed, Failure: f}).Err(); err != error(f) { //nolint:errorlint // it must be the same one
		t.Errorf("a failure is %v", err)
	}
	for _, s := range []deferred.State{deferred.Failed, deferred.Cancelled, deferred.Expired} {
		err := deferred.Outcome{State: s}.Err()
		var f *deferred.Failure
		if !errors.As(err, &f) || f.Kind != string(s) {
			t.Errorf("%s without a failure is %v", s, err)
		}
	}
	if !errors.Is(deferred.Outcome{State: deferred.Cancelled}.Err(), deferred.ErrCancelled) {
		t.Error("cancelled is not ErrCancelled")
	}
}

func TestTraceOfAFailureHasTheDetailThatIsAskedFor(t *testing.T) {
	f := &deferred.Failure{
		Kind: "payment", Message: "charge: no funds", Stack: "main.run()\n\tmain.go:7\n",
		Chain: []deferred.Cause{{Kind: "payment", Message: "no funds"}, {Kind: "error", Message: "EOF"}},
	}
	brief := []string{"payment: charge: no funds"}
	whole := append(brief[:1:1], "caused by payment: no funds", "caused by EOF")
	for d, want := range map[deferred.Detail][]string{
		deferred.DetailBrief: brief, deferred.DetailDefault: whole, "": whole,
		deferred.DetailVerbose: append(whole[:3:3], "main.run()", "\tmain.go:7"),
	} {
		if diff := cmp.Diff(want, f.Trace(d)); diff != "" {
			t.Errorf("%s: %s", d, diff)
		}
	}
	if lines := (*deferred.Failure)(nil).Trace(deferred.DetailVerbose); lines != nil {
		t.Errorf("of no failure there is %q", lines)
	}
}
