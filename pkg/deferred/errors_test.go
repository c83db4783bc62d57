package deferred_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"zasync/pkg/deferred"
)

func TestErrorsSayWhatIsWrongAndWhatToDo(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{&deferred.InputError{Field: deferred.FieldName, Value: "a b", Rule: "must not"}, `deferred: name "a b" must not`},
		{&deferred.InputError{Field: deferred.FieldName, Rule: "must not"}, `deferred: name must not`},
		{&deferred.InputError{Field: "header X\x1b[31m", Value: "\r\n", Rule: "must not"}, `deferred: header X\x1b[31m "\r\n" must not`},
		{&deferred.SizeError{Field: deferred.FieldArgs, Size: 2, Limit: 1}, "deferred: arguments of 2 bytes is over the limit of 1; store large data elsewhere and pass a reference"},
		{&deferred.SizeError{Field: deferred.FieldName, Size: 2, Limit: 1}, "deferred: name of 2 bytes is over the limit of 1; choose a shorter one"},
		{&deferred.IDInUseError{ID: "a"}, `deferred: id "a" already names another call, with other arguments; choose another id`},
		{&deferred.SettledError{ID: "a", State: deferred.Succeeded}, `deferred: "a" has already succeeded`},
		{&deferred.SettledError{ID: "a", State: deferred.Cancelled}, `deferred: "a" has already been cancelled`},
		{&deferred.SettledError{ID: "a\x1b", State: deferred.Failed}, `deferred: "a\x1b" has already failed`},
	} {
		if got := test.err.Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

func TestLongInputIsCutInErrors(t *testing.T) {
	err := &deferred.InputError{Field: deferred.FieldName, Value: strings.Repeat("ä", 5000), Rule: "must not"}
	if got := err.Error(); len(got) > 600 || !strings.HasSuffix(got, `..." must not`) {
		t.Errorf("got %q", got)
	}
}

func TestErrorsOfABatchAreFound(t *testing.T) {
	input := &deferred.InputError{Field: deferred.FieldName}
	err := fmt.Errorf("all: %w", &deferred.BatchError{Errs: []error{nil, io.EOF, nil, input}})
	if !errors.Is(err, io.EOF) {
		t.Error("the first is not found")
	}
	var found *deferred.InputError
	if !errors.As(err, &found) || found != input {
		t.Error("the second is not found")
	}
	if want := "all: deferred: 2 of 4 calls were not submitted; the first: EOF"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
