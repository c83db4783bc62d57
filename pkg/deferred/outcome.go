package deferred

import (
	"slices"
	"strings"
	"time"
)

// An Outcome is how a call ended. Its state is Succeeded, Failed, Cancelled or
// Expired; a worker that reports one may also say Scheduled (the handler
// snoozed), Pending (the attempt was interrupted through no fault of the
// call, which is given back and counted as nothing) or Waiting (the outcome is
// to be that of another deferred).
type Outcome struct {
	State   State
	Result  Content  // of a success
	Failure *Failure // of everything else that is settled
	Retry   Advice   // of a failed attempt; not stored
	Adopt   ID       // of a waiting one: whose outcome is to be taken over
	// PassOn, of a failed callback: the handler has returned the failure that it was
	// given. It did its work; the parent's outcome is taken over, and nothing tried again.
	PassOn bool
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
	KindBadArguments  = "bad arguments"  // they do not decode into what the handler takes
	KindParentUnknown = "parent unknown" // nobody knows the deferred that it follows, or waits for
	KindTimeout       = "timeout"        // the attempt ran too long
	KindCycle         = "cycle"          // it would wait for itself
	KindAllFailed     = "all failed"     // no member of a join of the kind any has succeeded
	KindNoInput       = "no input"       // what it is to be called with is too large, or was forgotten
	KindRejected      = "rejected"       // from outside, with no kind of its own
)

// Failure is a failure as data, the same in every language. It is an error, and
// [errors.Is] finds the sentinel of its kind; see [RegisterKind].
type Failure struct {
	Kind    string  `json:"kind"`
	Message string  `json:"message"`
	Chain   []Cause `json:"chain,omitempty"` // what it wraps, outermost first
	Stack   string  `json:"stack,omitempty"`
	Attempt int     `json:"attempt,omitempty"`
	Worker  string  `json:"worker,omitempty"`
	Member  ID      `json:"member,omitempty"` // of a join: whose failure it is
}

// Cause is one link of a wrapped error.
type Cause struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// Has reports whether the failure, or something that it wraps, is of one of the
// kinds. A nil failure has none.
func (f *Failure) Has(kinds ...string) bool {
	if f == nil {
		return false
	}
	return slices.Contains(kinds, f.Kind) ||
		slices.ContainsFunc(f.Chain, func(c Cause) bool { return slices.Contains(kinds, c.Kind) })
}

// Detail is how much of a failure is told.
type Detail string

// The details. Any other is taken for the default.
const (
	DetailBrief   Detail = "brief"   // its kind and message
	DetailDefault Detail = "default" // and what it wraps
	DetailVerbose Detail = "verbose" // and its stack
)

// Trace gives the failure in lines for people, as data: what somebody else has
// written is in them as it is, and may hold line breaks too. Of a nil failure
// there are none.
func (f *Failure) Trace(d Detail) []string {
	if f == nil {
		return nil
	}
	lines := []string{f.Error()}
	if d == DetailBrief {
		return lines
	}
	for _, c := range f.Chain {
		lines = append(lines, "caused by "+(&Failure{Kind: c.Kind, Message: c.Message}).Error())
	}
	if d == DetailVerbose && f.Stack != "" {
		lines = append(lines, strings.Split(strings.TrimSpace(f.Stack), "\n")...)
	}
	return lines
}

func (f *Failure) Error() string {
	if f.Kind == KindError || f.Kind == "" {
		return f.Message
	}
	return f.Kind + ": " + f.Message
}
