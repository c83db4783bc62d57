package deferred

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Sentinels of what can happen to a deferred. A [Failure] that came over the
// wire matches the one of its kind under [errors.Is].
var (
	ErrCancelled = errors.New("deferred: cancelled")
	ErrExpired   = errors.New("deferred: expired")
	ErrNotFound  = errors.New("deferred: not found")
	// ErrTimeout is the cause of an attempt that has run for longer than it may.
	ErrTimeout = errors.New("deferred: the attempt ran too long")
	// ErrToken answers a resolution with a token that is not that of a promise.
	ErrToken = errors.New("deferred: the token is not that of a promise")
	// ErrLost is the cause of a revoked attempt whose call belongs to another
	// worker by now. Its outcome will not be stored.
	ErrLost = errors.New("deferred: the attempt lost its lease")
	// ErrStopping is the cause of an attempt that is interrupted because its
	// worker stops. The call is given back and runs again elsewhere.
	ErrStopping = errors.New("deferred: the worker is stopping")
	// ErrTaken answers a claim of a call that is no longer to be had: somebody
	// else performs it, or it has settled.
	ErrTaken = errors.New("deferred: the call is not to be had any more")
)

// Field names the part of a call that an error is about.
type Field string

// The fields that are checked before anything is sent.
const (
	FieldID        Field = "id"
	FieldName      Field = "name"
	FieldQueue     Field = "queue"
	FieldArgs      Field = "arguments"
	FieldResult    Field = "result"
	FieldCallbacks Field = "callbacks"
	FieldBranch    Field = "branch"
	FieldLabels    Field = "labels"
	FieldLabelKey  Field = "label key"
	FieldTime      Field = "time"
	FieldDelay     Field = "delay"
	FieldRetries   Field = "retries"
	FieldContent   Field = "content type"
	FieldData      Field = "data" // of a content that is checked by itself
	FieldTimeout   Field = "timeout"
	FieldKeep      Field = "keep"
	FieldKinds     Field = "kinds"
	FieldJoin      Field = "join"
	FieldMembers   Field = "members"
	FieldPromise   Field = "promise"
	FieldNote      Field = "annotation"
	FieldNoteKey   Field = "annotation key"
	FieldBy        Field = "by" // of a command
)

// InputError says which part of the input breaks which rule. Nothing was sent.
type InputError struct {
	Field Field
	Value string // the offending input, cut when quoted; may be empty
	Rule  string
}

func (e *InputError) Error() string {
	// A field may be named by its sender, as a header is: it is quoted and cut too.
	field := strings.Trim(strconv.QuoteToASCII(short(string(e.Field))), `"`)
	if e.Value == "" {
		return fmt.Sprintf("deferred: %s %s", field, e.Rule)
	}
	return fmt.Sprintf("deferred: %s %s %s", field, strconv.QuoteToASCII(short(e.Value)), e.Rule)
}

func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "..."
	}
	return s
}

// SizeError says that a part of the input is too large. Nothing was sent.
type SizeError struct {
	Field       Field
	Size, Limit int // bytes
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("deferred: %s of %d bytes is over the limit of %d; %s", e.Field, e.Size, e.Limit, e.wayOut())
}

func (e *SizeError) wayOut() string {
	switch e.Field {
	case FieldID, FieldName, FieldQueue, FieldContent, FieldLabelKey, FieldNoteKey, FieldBy:
		return "choose a shorter one"
	case FieldLabels:
		return "move into the arguments what nobody selects by"
	case FieldCallbacks:
		return "pass large arguments by reference, or let a callback submit the rest"
	}
	return "store large data elsewhere and pass a reference"
}

// IDInUseError says that another call, with other arguments, stands under the
// id that was asked for. The call was not submitted.
type IDInUseError struct{ ID ID }

func (e *IDInUseError) Error() string {
	return fmt.Sprintf("deferred: id %q already names another call, with other arguments; choose another id", string(e.ID))
}

// SettledError answers a command that came too late: the deferred has settled,
// with the outcome that it tells.
type SettledError struct {
	ID      ID
	State   State
	Outcome Outcome
}

// StateError answers a command that a deferred in this state does not obey: one
// that runs cannot be held.
type StateError struct {
	ID    ID
	State State
	Verb  Verb
	Rule  string
}

func (e *StateError) Error() string {
	return fmt.Sprintf("deferred: %s %q: it is %s, and %s", e.Verb, string(e.ID), e.State, e.Rule)
}

func (e *SettledError) Error() string {
	return fmt.Sprintf("deferred: %q has already %s", string(e.ID), e.State.verb())
}

// BatchError holds one error per call of a [Submitter.Submit] of several calls:
// nil for those that were accepted.
type BatchError struct{ Errs []error }

func (e *BatchError) Error() string {
	var first error
	n := 0
	for _, err := range e.Errs {
		if err != nil {
			n++
			if first == nil {
				first = err
			}
		}
	}
	return fmt.Sprintf("deferred: %d of %d calls were not submitted; the first: %v", n, len(e.Errs), first)
}

// Unwrap gives the errors that are not nil.
func (e *BatchError) Unwrap() []error {
	var errs []error
	for _, err := range e.Errs {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// advisedError is an error with the handler's advice on another attempt.
type advisedError struct {
	err    error
	final  bool
	after  time.Duration
	snooze bool
}

func (e *advisedError) Error() string { return e.err.Error() }
func (e *advisedError) Unwrap() error { return e.err }

// Permanent marks err: the call fails for good, whatever retries are left.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &advisedError{err: err, final: true}
}

// RetryAfter marks err: the next attempt, if any is left, starts no sooner than
// after d, in place of the delay that the policy would choose. RetryAfter(d, nil) is nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &advisedError{err: err, after: max(d, time.Millisecond)}
}

var errSnooze = errors.New("snoozed")

// Snooze is returned by a handler that wants to be called again after d without
// having failed: it counts neither as a failure nor as a retry.
func Snooze(d time.Duration) error {
	return &advisedError{err: errSnooze, snooze: true, after: max(d, time.Millisecond)}
}
