package deferred

import "time"

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
	if f.Kind == KindError || f.Kind == "" {
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
