package deferred

import "slices"

// OutcomeOf is the outcome that an error of this attempt's handler stands for:
// that of [OutcomeOf], which passes on when the handler has returned the very
// failure that the attempt follows. err must not be nil.
func (a *Attempt) OutcomeOf(err error) Outcome {
	o := OutcomeOf(err)
	o.PassOn = o.State == Failed && o.Retry.After == 0 && a.Parent != nil && isGiven(err, a.Parent.Outcome.Failure)
	return o
}

// isGiven tells the failure that was given from one that is like it: a service
// that is down fails an errback in the same words as the call before it. What has
// been decoded from the input is a copy, so it is known by all that it says, the
// attempt and the worker too. One that wraps it says something else.
func isGiven(err error, given *Failure) bool {
	f := asFailure(factsOf(err)[0])
	if f == nil || given == nil {
		return false
	}
	return f == given || f.Kind == given.Kind && f.Message == given.Message && f.Stack == given.Stack &&
		f.Attempt == given.Attempt && f.Worker == given.Worker && f.Member == given.Member && slices.Equal(f.Chain, given.Chain)
}
