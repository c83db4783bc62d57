// Package democalls has calls to try things out with, which every ready-made
// worker performs:
//
//	demo/echo   returns its arguments, whatever they are
//	demo/sleep  {"for":"2s"} takes so long, and reports progress
//	demo/fail   {"times":2} fails so many times, then succeeds
//	demo/add    [1,2,3] adds numbers
package democalls

import (
	"context"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// Help describes the calls to the users of a program.
const Help = `demo/echo   returns its arguments, whatever they are
demo/sleep  {"for":"2s"} takes so long, and reports progress
demo/fail   {"times":2} fails so many times, then succeeds
demo/add    [1,2,3] adds numbers`

// The calls.
const (
	Echo  deferred.Func[deferred.Content, deferred.Content] = "demo/echo"
	Sleep deferred.Func[SleepArgs, string]                  = "demo/sleep"
	Fail  deferred.Func[FailArgs, string]                   = "demo/fail"
	Add   deferred.Func[deferred.Content, any]              = "demo/add"
)

// Register registers all calls.
func Register(m *workerpool.Mux) {
	workerpool.Register(m, Echo, echo)
	workerpool.Register(m, Sleep, sleep)
	workerpool.Register(m, Fail, fail)
	workerpool.Register(m, Add, add)
}

func echo(_ context.Context, in deferred.Content) (deferred.Content, error) { return in, nil }

// badArguments is a failure that no other attempt would mend.
func badArguments(message string) error {
	return deferred.Permanent(&deferred.Failure{Kind: deferred.KindBadArguments, Message: message})
}
