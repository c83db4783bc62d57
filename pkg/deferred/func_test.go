package deferred_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
)

const (
	double deferred.Func[int, int]           = "math/double"
	send   deferred.Func[chan int, struct{}] = "send"
)

// desk takes calls and answers with what it was told to.
type desk struct {
	deferred.Ledger
	calls  []deferred.Call
	give   []*deferred.Deferred
	record deferred.Record
	err    error
}

func (d *desk) Submit(_ context.Context, calls ...deferred.Call) ([]*deferred.Deferred, error) {
	for i := range calls {
		if err := calls[i].Check(); err != nil {
			return nil, &deferred.BatchError{Errs: []error{err}}
		}
	}
	d.calls = append(d.calls, calls...)
	return d.give, d.err
}

func (d *desk) Await(_ context.Context, id deferred.ID) (deferred.Record, error) {
	d.record.ID = id
	return d.record, d.err
}

func (d *desk) Record(ctx context.Context, id deferred.ID) (deferred.Record, error) {
	return d.Await(ctx, id)
}

func TestAFuncSubmitsItsNameAndArguments(t *testing.T) {
	s := &desk{}
	s.give = []*deferred.Deferred{deferred.Open(s, "a")}
	d, err := double.Submit(t.Context(), s, 21)
	if err != nil {
		t.Fatal(err)
	}
	if d.ID() != "a" || d.Existed() {
		t.Errorf("got %q, existed %v", d.ID(), d.Existed())
	}
	want := deferred.Call{Name: "math/double", Args: deferred.Content{Type: deferred.TypeMessagePack, Data: []byte{21}}}
	if diff := cmp.Diff([]deferred.Call{want}, s.calls, same); diff != "" {
		t.Error(diff)
	}
}

func TestAnArgumentThatDoesNotEncodeIsNotSubmitted(t *testing.T) {
	s := &desk{}
	c := send.Call(make(chan int))
	if c.Name != "send" || !c.Args.IsZero() {
		t.Errorf("the call is %+v", c)
	}
	if err := c.Check(); err == nil {
		t.Error("the check does not see it")
	}
	d, err := send.Submit(t.Context(), s, make(chan int))
	if d != nil || err == nil || len(s.calls) != 0 {
		t.Errorf("got %v, %v; %d calls were stored", d, err, len(s.calls))
	}
	var batch *deferred.BatchError
	if errors.As(err, &batch) {
		t.Errorf("the error of one call came as that of a batch: %v", err)
	}
}

func TestTheErrorOfOneCallIsItsOwn(t *testing.T) {
	s := &desk{err: &deferred.BatchError{Errs: []error{io.EOF}}}
	if _, err := double.Submit(t.Context(), s, 1); err != io.EOF { //nolint:errorlint // it must not be wrapped in the batch
		t.Errorf("got %v, want EOF by itself", err)
	}
	s.err = io.ErrClosedPipe
	if _, err := double.Submit(t.Context(), s, 1); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
	s.err = nil
	if _, err := double.Submit(t.Context(), s, 1); err == nil {
		t.Error("a submitter that gave no deferred is believed")
	}
}

func TestAwaitGivesTheTypedResult(t *testing.T) {
	result, err := deferred.Encode(42)
	if err != nil {
		t.Fatal(err)
	}
	s := &desk{record: deferred.Record{State: deferred.Succeeded, Result: result}}
	got, err := double.Await(t.Context(), deferred.Open(s, "a"))
	if err != nil || got != 42 {
		t.Errorf("got %v, %v", got, err)
	}
	s.record.Result = deferred.JSON([]byte("43")) // a worker in another language
	if got, err = double.Await(t.Context(), deferred.Open(s, "a")); err != nil || got != 43 {
		t.Errorf("got %v, %v", got, err)
	}
	s.record.Result = deferred.JSON([]byte(`"many"`))
	if _, err := double.Await(t.Context(), deferred.Open(s, "a")); err == nil {
		t.Error("a text was read as a number")
	}
}

func TestAwaitGivesTheFailureAsAnError(t *testing.T) {
	want := &deferred.Failure{Kind: "payment", Message: "no funds"}
	s := &desk{record: deferred.Record{State: deferred.Failed, Failure: want}}
	_, err := double.Await(t.Context(), deferred.Open(s, "a"))
	var got *deferred.Failure
	if !errors.As(err, &got) || got != want {
		t.Errorf("got %v", err)
	}
	s.record = deferred.Record{State: deferred.Cancelled, Failure: deferred.CancelFailure("")}
	if _, err := double.Await(t.Context(), deferred.Open(s, "a")); !errors.Is(err, deferred.ErrCancelled) {
		t.Errorf("got %v, want ErrCancelled", err)
	}
	s.err = io.EOF
	if _, err = double.Await(t.Context(), deferred.Open(s, "a")); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want that the waiting failed", err)
	}
}

func TestAHandleSpeaksForItsOwnID(t *testing.T) {
	s := &desk{record: deferred.Record{State: deferred.Running}}
	d := deferred.OpenExisting(s, "b")
	r, err := d.Record(t.Context())
	if err != nil || r.ID != "b" || !d.Existed() {
		t.Errorf("got %q, %v, existed %v", r.ID, err, d.Existed())
	}
}
