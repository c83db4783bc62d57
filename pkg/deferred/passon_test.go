package deferred_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"zasync/pkg/deferred"
)

func TestAnAttemptPassesOnNothingButTheFailureThatItFollows(t *testing.T) {
	given := &deferred.Failure{
		Kind: deferred.KindError, Message: "connection refused", Chain: []deferred.Cause{{Kind: "error", Message: "refused"}}, Attempt: 3, Worker: "w1",
	}
	attempt := &deferred.Attempt{Number: 1, Parent: &deferred.Parent{ID: "p", Outcome: deferred.Outcome{State: deferred.Failed, Failure: given}}}
	in, err := attempt.Input()
	if err != nil {
		t.Fatal(err)
	}
	var decoded deferred.Failure
	if err := json.Unmarshal(in.Data, &decoded); err != nil {
		t.Fatal(err)
	}
	another := *given
	another.Attempt = 1
	var none *deferred.Failure
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"it":                        {given, true},
		"it, decoded":               {&decoded, true},
		"it, for good":              {deferred.Permanent(given), true},
		"it, to be tried again":     {deferred.RetryAfter(time.Second, given), false},
		"it, in an account of more": {fmt.Errorf("while mending: %w", given), false},
		"it, beside another":        {errors.Join(given, errors.New("and more")), false},
		"an error in its words":     {errors.New("connection refused"), false},
		"one of its kind":           {&deferred.Failure{Kind: given.Kind, Message: given.Message}, false},
		"that of another attempt":   {&another, false},
		"no failure":                {none, false},
		"a snooze":                  {deferred.Snooze(time.Second), false},
	} {
		o := attempt.OutcomeOf(test.err)
		if o.PassOn != test.want {
			t.Errorf("%s: passed on %t, want %t", name, o.PassOn, test.want)
		}
		if !test.want && o.State == deferred.Failed && o.Failure == nil {
			t.Errorf("%s: no failure", name)
		}
	}
	plain := &deferred.Attempt{Number: 1}
	if plain.OutcomeOf(given).PassOn {
		t.Error("a call that follows nothing passed on")
	}
}
