package suite

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// The tokens of the story's promises are the same in each run, so that it can be
// asked again.
var (
	approval, approvalToken = deferred.NewPromise("approval", "approval")
	signature, _            = deferred.NewPromise("signature", "signature")
)

var waits = plot{
	names: []string{"value", "fail", "adopt", "echo", "slow", "never"},
	calls: waitingCalls, ask: askWaiting, handle: handleWaiting, want: wantWaiting,
	times: map[deferred.ID]int{"one": 1, "middle": 1, "adopter": 1, "held": 1, "late": 1, "failed": 1},
}

func waitingCalls() []deferred.Call {
	call := func(id deferred.ID, name string, change func(*deferred.Call)) deferred.Call {
		c := deferred.Call{ID: id, Name: name}
		if change != nil {
			change(&c)
		}
		return c
	}
	join := func(id deferred.ID, m deferred.JoinMode, members ...deferred.ID) deferred.Call {
		return deferred.Call{ID: id, Name: "join", Join: &deferred.Join{Mode: m, Members: members}}
	}
	race := join("race", deferred.JoinRace, "loser", "one")
	race.Join.CancelRest = true
	signed := signature
	signed.Deadline = time.Now().Add(2 * time.Second)
	return []deferred.Call{
		approval, signed,
		join("all", deferred.JoinAll, "one", "adopter", "approval"),
		join("settled", deferred.JoinAllSettled, "failed", "one"),
		race,
		call("late", "echo", func(c *deferred.Call) { c.After = &deferred.After{Parent: "all", On: deferred.OnSuccess} }),
		call("skipped", "never", func(c *deferred.Call) { c.After = &deferred.After{Parent: "signature", On: deferred.OnSuccess} }),
		call("adopter", "adopt", func(c *deferred.Call) { c.Args = deferred.JSON([]byte(`"middle"`)) }),
		call("middle", "adopt", func(c *deferred.Call) { c.Args = deferred.JSON([]byte(`"one"`)) }),
		call("loser", "never", func(c *deferred.Call) { c.Delay = 20 * time.Second }),
		call("failed", "fail", func(c *deferred.Call) { c.Retries = deferred.NoRetries }),
		call("held", "value", func(c *deferred.Call) { c.Delay = 300 * time.Millisecond }),
		call("one", "value", nil),
	}
}

func askWaiting(ctx context.Context, client *dispatch.Queue) error {
	var settled *deferred.SettledError
	var state *deferred.StateError
	err := client.Open("held").Hold(ctx, "not yet")
	if err != nil && !errors.As(err, &settled) && !errors.As(err, &state) {
		return err
	}
	if err := deferred.ResolvePromise(ctx, client, approvalToken, true); err != nil && !errors.As(err, &settled) {
		return err
	}
	err = client.Open("held").Release(ctx)
	if err != nil && !errors.As(err, &settled) {
		return err
	}
	return nil
}

func handleWaiting(_ context.Context, a *deferred.Attempt) deferred.Outcome {
	in, err := a.Input()
	if err != nil {
		return deferred.OutcomeOf(err)
	}
	switch a.Lane.Name {
	case "value":
		return deferred.Outcome{State: deferred.Succeeded, Result: deferred.JSON([]byte("1"))}
	case "fail":
		return deferred.OutcomeOf(&deferred.Failure{Kind: "refused", Message: "no"})
	case "adopt":
		var inner deferred.ID
		if err := in.Decode(&inner); err != nil {
			return deferred.OutcomeOf(err)
		}
		return deferred.OutcomeOf(deferred.Adopt(deferred.Open(a.Ledger, inner)))
	}
	return deferred.Outcome{State: deferred.Succeeded, Result: in}
}

func wantWaiting() map[deferred.ID]string {
	return map[deferred.ID]string{
		"one": "succeeded 1", "middle": "succeeded 1", "adopter": "succeeded 1", "held": "succeeded 1",
		"approval": "succeeded true", "all": "succeeded [1,1,true]", "late": "succeeded [1,1,true]",
		"failed": "failed refused", "race": "succeeded 1", "loser": "cancelled cancelled",
		"settled": `succeeded [{"id":"failed","state":"failed","failure":{"kind":"refused","message":"no"}},` +
			`{"id":"one","state":"succeeded","result":1}]`,
		"signature": "expired expired", "skipped": "expired expired",
	}
}
