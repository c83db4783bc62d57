package deferred

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// An Outcome is how a call ended. Its state is Succeeded, Failed, Cancelled or
// Expired; a worker that reports one may also say Scheduled (the handler
// snoozed) or Pending (the attempt was interrupted through no fault of the
// call, which is given back and counted as nothing).
type Outcome struct {
	State   State
	Result  Content  // of a success
	Failure *Failure // of everything else that is settled
	Retry   Advice   // of a failed attempt; not stored
}

// Advice is what a handler says about the next attempt. Zero leaves it to the policy.
type Advice struct {
	Never bool          // the failure is permanent
	After time.Duration // start the next attempt no sooner
}

// Err is nil for a success and the failure otherwise.
func (o Outcome) Err() error {
	if o.State == Succeeded {
		return nil
	}
	if o.Failure == nil {
		return &Failure{Kind: string(o.State), Message: string(o.State)}
	}
	return o.Failure
}

// Kinds of failure that zasync itself gives. A Go error's kind is "error"
// unless it has a method Kind() string.
const (
	KindError         = "error"
	KindPanic         = "panic"
	KindPoison        = "poison"           // its workers died too often
	KindCancelled     = "cancelled"        // by a command
	KindExpired       = "expired"          // begin-by passed
	KindMalformed     = "malformed"        // the message could not be understood
	KindResultSize    = "result too large" // the handler succeeded with more than can be stored
	KindResultCodec   = "result not encodable"
	KindBadArguments  = "bad arguments" // they do not decode into what the handler takes
	KindParentUnknown = "parent unknown"
)

// Failure is a failure as data, the same in every language. It is an error.
type Failure struct {
	Kind    string  `json:"kind"`
	Message string  `json:"message"`
	Chain   []Cause `json:"chain,omitempty"` // what it wraps, outermost first
	Stack   string  `json:"stack,omitempty"`
	Attempt int     `json:"attempt,omitempty"`
	Worker  string  `json:"worker,omitempty"`
}

// Cause is one link of a wrapped error.
type Cause struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

func (f *Failure) Error() string {
	if f.Kind == KindError {
		return f.Message
	}
	return f.Kind + ": " + f.Message
}

// Is lets errors.Is find the sentinel of the failure's kind.
func (f *Failure) Is(target error) bool {
	switch target {
	case ErrCancelled:
		return f.Kind == KindCancelled
	case ErrExpired:
		return f.Kind == KindExpired
	}
	return false
}

const (
	maxMessage = 4 << 10
	maxChain   = 16
)

// FailureOf turns an error into data: kind, message and what it wraps. A
// [*Failure] inside err keeps its kind.
func FailureOf(err error) *Failure {
	f := &Failure{Kind: kindOf(err), Message: clip(err.Error(), maxMessage)}
	for e := errors.Unwrap(skipAdvice(err)); e != nil && len(f.Chain) < maxChain; e = errors.Unwrap(e) {
		f.Chain = append(f.Chain, Cause{Kind: kindOf(e), Message: clip(e.Error(), maxMessage)})
	}
	return f
}

func kindOf(err error) string {
	var f *Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	var k interface{ Kind() string }
	if errors.As(err, &k) && k.Kind() != "" {
		return clip(k.Kind(), MaxNameLength)
	}
	return KindError
}

func skipAdvice(err error) error {
	for {
		a, ok := err.(*advisedError) //nolint:errorlint // only the outermost marks are skipped
		if !ok {
			return err
		}
		err = a.err
	}
}

func clip(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + " [cut]"
}

// OutcomeOf is the outcome that a handler's error stands for: it reads the marks
// of [Permanent], [RetryAfter] and [Snooze]. err must not be nil.
func OutcomeOf(err error) Outcome {
	var a *advisedError
	if !errors.As(err, &a) {
		return Outcome{State: Failed, Failure: FailureOf(err)}
	}
	if a.snooze {
		return Outcome{State: Scheduled, Retry: Advice{After: a.after}}
	}
	return Outcome{State: Failed, Failure: FailureOf(err), Retry: Advice{Never: a.final, After: a.after}}
}

// PanicOutcome is the outcome of a handler that panicked with v; its stack is
// cut to [MaxStackSize].
func PanicOutcome(v any, stack []byte) Outcome {
	f := &Failure{Kind: KindPanic, Message: clip(fmt.Sprint(v), maxMessage)}
	if err, ok := v.(error); ok {
		f.Chain = append([]Cause{{Kind: kindOf(err), Message: clip(err.Error(), maxMessage)}}, FailureOf(err).Chain...)
	}
	f.Stack = clip(string(stack), MaxStackSize-len(" [cut]"))
	return Outcome{State: Failed, Failure: f}
}
