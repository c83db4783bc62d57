// Package democalls has calls to try things out with, which every ready-made
// worker performs:
//
//	demo/echo   returns its arguments, whatever they are
//	demo/sleep  {"for":"2s"} takes so long, and reports progress
//	demo/fail   {"times":2} fails so many times, then succeeds
//	demo/add    [1,2,3] adds numbers
package democalls

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

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
	workerpool.Register(m, deferred.Func[deferred.Content, string](Sleep), strictly(sleep))
	workerpool.Register(m, deferred.Func[deferred.Content, string](Fail), strictly(fail))
	workerpool.Register(m, Add, add)
}

func echo(_ context.Context, in deferred.Content) (deferred.Content, error) { return in, nil }

// strictly refuses arguments with a field that the call does not have: whoever
// tries things out by hand mistypes them. It goes by way of JSON, whatever the
// codec.
func strictly[A, R any](do func(context.Context, A) (R, error)) func(context.Context, deferred.Content) (R, error) {
	return func(ctx context.Context, in deferred.Content) (none R, _ error) {
		text, err := in.JSON()
		if err != nil {
			return none, badArguments(err.Error())
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		var args A
		if err := d.Decode(&args); err != nil {
			return none, badArguments(strings.TrimPrefix(err.Error(), "json: "))
		}
		return do(ctx, args)
	}
}

// badArguments is a failure that no other attempt would mend.
func badArguments(message string) error {
	return deferred.Permanent(&deferred.Failure{Kind: deferred.KindBadArguments, Message: message})
}
