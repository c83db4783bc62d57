package suite

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

var calls = plot{
	names: []string{"second-time-lucky", "refuse", "mend", "copy"},
	calls: storyCalls, handle: handle, want: want, times: performed,
	ask: func(ctx context.Context, client *dispatch.Queue) error {
		return client.Do(ctx, deferred.Command{Verb: deferred.Cancel, ID: "cancelled", Reason: "not needed"})
	},
}

func storyCalls() []deferred.Call {
	on := func(b deferred.Branch, name string, below ...deferred.Callback) deferred.Callback {
		return deferred.Callback{On: b, Call: deferred.Call{Name: name, Callbacks: below}}
	}
	three := []deferred.Callback{
		on(deferred.OnSuccess, "copy", on(deferred.OnBoth, "copy")),
		on(deferred.OnFailure, "mend", on(deferred.OnSuccess, "copy")),
		on(deferred.OnBoth, "copy"),
	}
	two := []deferred.Callback{on(deferred.OnSuccess, "copy"), on(deferred.OnFailure, "mend")}
	args := deferred.JSON([]byte(`"in"`))
	return []deferred.Call{
		{ID: "retried", Name: "second-time-lucky", Args: args, Callbacks: three},
		{ID: "refused", Name: "refuse", Args: args, Callbacks: three},
		// A worker that parks it just when it is cancelled leaves a schedule behind,
		// which ends by itself: so its time is within the test's patience.
		{ID: "cancelled", Name: "copy", Args: args, Callbacks: two, Delay: 10 * time.Second},
		{ID: "expired", Name: "copy", Args: args, Callbacks: two, BeginBy: time.Unix(1, 0)},
		// A callback that comes by itself, and notes itself in its parent's record.
		{ID: "late", Name: "copy", After: &deferred.After{Parent: "expired", On: deferred.OnFailure}, Delay: 500 * time.Millisecond},
	}
}

// want is the outcome of each deferred of the story. A deferred that took its
// parent's outcome over has the same.
func want() map[deferred.ID]string {
	w := map[deferred.ID]string{}
	ok, mended := `succeeded "out"`, `succeeded "mended"`
	tree := func(root deferred.ID, own, success, below, failure, mended, both string) {
		w[root] = own
		w[child(root, 0)], w[child(root, 0, 0)] = success, below
		w[child(root, 1)], w[child(root, 1, 0)] = failure, mended
		w[child(root, 2)] = both
	}
	copied := `succeeded {"kind":"refused"}`
	tree("retried", ok, ok, ok, ok, ok, ok)
	tree("refused", "failed refused", "failed refused", copied, mended, mended, copied)
	for root, failure := range map[deferred.ID]string{"cancelled": "cancelled cancelled", "expired": "expired expired"} {
		w[root], w[child(root, 0)], w[child(root, 1)] = failure, failure, mended
	}
	w["late"] = `succeeded {"kind":"expired"}`
	return w
}

// performed is how often: what is passed through to a branch below is performed
// there, and not above.
var performed = map[deferred.ID]int{
	"retried": 2, child("retried", 0): 1, child("retried", 0, 0): 1, child("retried", 1, 0): 1, child("retried", 2): 1,
	"refused": 1, child("refused", 0, 0): 1, child("refused", 1): 1, child("refused", 1, 0): 1, child("refused", 2): 1,
	child("cancelled", 1): 1, child("expired", 1): 1, "late": 1,
}

// child is the id of a callback: of its index, of the index of one below it, and so on.
func child(id deferred.ID, path ...int) deferred.ID {
	for _, i := range path {
		id = deferred.ChildID(id, i)
	}
	return id
}

func handle(_ context.Context, a *deferred.Attempt) deferred.Outcome {
	in, err := a.Input()
	if err != nil {
		return deferred.OutcomeOf(err)
	}
	switch a.Lane.Name {
	case "second-time-lucky":
		if a.Failures == 0 {
			return deferred.OutcomeOf(deferred.RetryAfter(10*time.Millisecond, errors.New("not yet")))
		}
		in = deferred.JSON([]byte(`"out"`))
	case "refuse":
		return deferred.OutcomeOf(deferred.Permanent(&deferred.Failure{Kind: "refused", Message: "no"}))
	case "mend":
		in = deferred.JSON([]byte(`"mended"`))
	case "copy":
		if f := new(deferred.Failure); a.Parent != nil && a.Parent.Outcome.State != deferred.Succeeded {
			if err := in.Decode(f); err != nil {
				return deferred.OutcomeOf(err)
			}
			in = deferred.JSON([]byte(`{"kind":"` + f.Kind + `"}`))
		}
	}
	return deferred.Outcome{State: deferred.Succeeded, Result: in}
}
