package deferred

import (
	"fmt"
	"slices"
	"strings"
)

// Limits on what a failure keeps of an error. With the longest arguments beside
// it, and every byte escaped, the record must still fit into a message.
const (
	maxMessage = 4 << 10
	maxCause   = 1 << 10
	maxChain   = 16
	maxLinks   = 64 // of a foreign error that are looked at
	cutMark    = " [cut]"
)

// FailureOf turns an error into data: kind, message and what it wraps. A
// [*Failure] inside err keeps its kind. err must not be nil.
func FailureOf(err error) *Failure {
	links := factsOf(err)
	f := &Failure{Kind: kindOf(links), Message: clip(messageOf(links[0]), maxMessage)}
	for i, e := range links[:min(len(links), 1+maxChain)] {
		if i > 0 {
			f.Chain = append(f.Chain, causeOf(e))
		}
		if inner := asFailure(e); inner != nil {
			f.adopt(inner, i == 0)
		}
	}
	f.Chain = f.Chain[:min(len(f.Chain), maxChain)]
	return f
}

// adopt takes over what a failure within the error says: it wraps nothing, but
// has what it wrapped as data.
func (f *Failure) adopt(inner *Failure, itself bool) {
	if itself {
		f.Stack = clipStack(inner.Stack)
	}
	for _, c := range inner.Chain[:min(len(inner.Chain), maxChain)] {
		f.Chain = append(f.Chain, Cause{Kind: clip(c.Kind, MaxNameLength), Message: clip(c.Message, maxCause)})
	}
}

func causeOf(err error) Cause {
	return Cause{Kind: kindOf(factsOf(err)), Message: clip(messageOf(err), maxCause)}
}

// linksOf gives err and all that it wraps, outermost first and depth first. It
// takes the place of errors.As and errors.Unwrap, which never return when an
// error wraps itself, and let a typed nil pointer panic.
func linksOf(err error) (links []error) {
	defer func() { _ = recover() }() // what was found by then is what there is
	var walk func(error)
	walk = func(e error) {
		if e == nil || len(links) == maxLinks {
			return
		}
		links = append(links, e)
		switch u := e.(type) { //nolint:errorlint // each link is looked at by itself
		case interface{ Unwrap() error }:
			walk(u.Unwrap())
		case interface{ Unwrap() []error }:
			for _, e := range u.Unwrap() {
				walk(e)
			}
		}
	}
	walk(err)
	return links
}

// factsOf is linksOf without the marks of advice.
func factsOf(err error) []error {
	if links := slices.DeleteFunc(linksOf(err), isAdvice); len(links) > 0 {
		return links
	}
	return []error{err} // marks upon marks
}

func isAdvice(err error) bool {
	_, ok := err.(*advisedError) //nolint:errorlint // each link is looked at by itself
	return ok
}

func asFailure(err error) *Failure {
	f, _ := err.(*Failure) //nolint:errorlint // each link is looked at by itself
	return f
}

// kindOf is the first kind that a link of the error has.
func kindOf(links []error) string {
	for _, e := range links {
		if k := ownKind(e); k != "" {
			return clip(k, MaxNameLength)
		}
	}
	return KindError
}

func ownKind(err error) (kind string) {
	defer func() { _ = recover() }() // a typed nil pointer has no kind
	if f := asFailure(err); f != nil {
		return f.Kind
	}
	if k, ok := err.(interface{ Kind() string }); ok {
		return k.Kind()
	}
	return registered(err)
}

// messageOf leaves the kind of a failure out of its message, and lets fmt deal
// with an Error method that panics.
func messageOf(err error) string {
	if f := asFailure(err); f != nil {
		return f.Message
	}
	return fmt.Sprint(err)
}

// clip makes s valid UTF-8 of at most limit bytes, and a mark if it was longer.
func clip(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + cutMark
}

func clipStack(s string) string { return clip(s, MaxStackSize-len(cutMark)) }

// OutcomeOf is the outcome that a handler's error stands for: it reads the marks
// of [Permanent], [RetryAfter] and [Snooze], the outermost if there are several.
// err must not be nil.
func OutcomeOf(err error) Outcome {
	links := linksOf(err)
	for _, e := range links {
		if a, ok := e.(*adoption); ok { //nolint:errorlint // each link is looked at by itself
			return a.outcome()
		}
	}
	i := slices.IndexFunc(links, isAdvice)
	if i < 0 {
		return Outcome{State: Failed, Failure: FailureOf(err)}
	}
	a := links[i].(*advisedError) //nolint:errorlint // isAdvice found it
	if a.snooze {
		return Outcome{State: Scheduled, Retry: Advice{After: a.after}}
	}
	return Outcome{State: Failed, Failure: FailureOf(err), Retry: Advice{Never: a.final, After: a.after}}
}

// PanicOutcome is the outcome of a handler that panicked with v; its stack is
// cut to [MaxStackSize].
func PanicOutcome(v any, stack []byte) Outcome {
	f := &Failure{Kind: KindPanic, Message: clip(fmt.Sprint(v), maxMessage), Stack: clipStack(string(stack))}
	if err, ok := v.(error); ok {
		f.Chain = append([]Cause{causeOf(err)}, FailureOf(err).Chain...)
		f.Chain = f.Chain[:min(len(f.Chain), maxChain)]
	}
	return Outcome{State: Failed, Failure: f}
}

// CancelFailure is the failure of a deferred that was cancelled for a reason,
// which may be empty.
func CancelFailure(reason string) *Failure {
	if reason == "" {
		reason = "cancelled by a command"
	}
	return &Failure{Kind: KindCancelled, Message: clip(reason, maxMessage)}
}
