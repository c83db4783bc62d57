package cmdline

import (
	"errors"
	"fmt"

	"zasync/pkg/deferred"
)

// Exit codes, which scripts rely on.
const (
	Done      = 0 // or succeeded
	Error     = 1
	Usage     = 2
	Failed    = 3
	Cancelled = 4
	Expired   = 5
	GaveUp    = 6 // waiting
	NotFound  = 7
)

// An ExitError ends the program with a code. One without Err prints nothing:
// what there is to say has been said.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *ExitError) Unwrap() error { return e.Err }

// Usagef is the error of a command line that cannot be understood.
func Usagef(format string, args ...any) error {
	return &ExitError{Code: Usage, Err: fmt.Errorf(format, args...)}
}

// Code is the exit code of an error.
func Code(err error) int {
	var exit *ExitError
	var input *deferred.InputError
	var size *deferred.SizeError
	switch {
	case err == nil:
		return Done
	case errors.As(err, &exit):
		return exit.Code
	case errors.As(err, &input), errors.As(err, &size):
		return Usage
	case errors.Is(err, deferred.ErrNotFound):
		return NotFound
	}
	return Error
}

// StateCode is the exit code for the state that a call has settled in.
func StateCode(s deferred.State) int {
	switch s {
	case deferred.Failed:
		return Failed
	case deferred.Cancelled:
		return Cancelled
	case deferred.Expired:
		return Expired
	}
	return Done
}
