package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// The promises of the story: two that wait for their word, and one that is settled
// before it is submitted.
var (
	gate, gateToken       = deferred.NewPromise("gate", "approval")
	whistle, whistleToken = deferred.NewPromise("whistle", "approval")
	early, earlyToken     = deferred.NewPromise("early", "approval")
)

var keeps = plot{
	// The records of the story and two older ones: so of the five older ones three
	// have to go, whenever that is noticed.
	config: dispatch.Config{InlineResult: 1, MaxRecords: 19, SweepEvery: time.Second, UnhandledGrace: time.Millisecond},
	before: olderRecords, calls: keepingCalls, ask: askKeeping, handle: handleKeeping, want: wantKeeping,
	names: []string{"value", "fail", "big", "size", "note", "echo", "never"},
	times: map[deferred.ID]int{
		"first": 1, "second": 1, "big-1": 1, "big-2": 1, "dismissed": 1, "left": 1, "noted": 2,
		child("grown", 0): 1, child("large", 0): 1,
	},
	after: checkKeeping,
}

// huge is a result of which a record holds one, and not two. The story, which is told
// hundreds of times, does with less: its records take nothing in of one another.
var (
	huge = `"` + strings.Repeat("x", deferred.MaxResultSize/2) + `"`
	big  = `"` + strings.Repeat("x", 4<<10) + `"`
)

// olderRecords are of calls that succeeded long ago, each with an annotation.
func olderRecords(ctx context.Context, s *story) {
	for i := range 5 {
		r := deferred.Record{ID: deferred.ID("old-" + strconv.Itoa(i+1))}
		settledRecord(&r, deferred.Succeeded, int64(i+1))
		data, err := json.Marshal(r)
		if err != nil {
			s.t.Fatal(err)
		}
		key := driver.Key{Space: driver.Records, Name: string(r.ID)}
		if err := s.pair.Store.Write(ctx, []driver.Write{{Key: key, Value: data}})[0].Err; err != nil {
			s.t.Fatal(err)
		}
		if err := s.truth.Open(r.ID).Annotate(ctx, "note", i); err != nil {
			s.t.Fatal(err)
		}
	}
}

func keepingCalls() []deferred.Call {
	none := func(id deferred.ID, name string) deferred.Call {
		return deferred.Call{ID: id, Name: name, Retries: deferred.NoRetries}
	}
	on := func(b deferred.Branch, name string) deferred.Callback {
		return deferred.Callback{On: b, Call: deferred.Call{Name: name}}
	}
	join := func(id deferred.ID, m deferred.JoinMode, members []deferred.ID, callbacks ...deferred.Callback) deferred.Call {
		return deferred.Call{ID: id, Name: "join", Join: &deferred.Join{Mode: m, Members: members}, Callbacks: callbacks}
	}
	race := join("race", deferred.JoinRace, []deferred.ID{"whistle", "lone", "gate"})
	race.Join.CancelRest = true
	return []deferred.Call{
		gate, whistle, race,
		join("grown", deferred.JoinAll, []deferred.ID{"gate", "first"}, on(deferred.OnSuccess, "echo")),
		join("large", deferred.JoinAll, []deferred.ID{"big-1", "big-2"}, on(deferred.OnSuccess, "size"), on(deferred.OnFailure, "never")),
		none("first", "value"), none("second", "value"), none("big-1", "big"), none("big-2", "big"),
		none("dismissed", "fail"), none("left", "fail"),
		{ID: "noted", Name: "note"},
		{ID: "lone", Name: "never", Delay: 20 * time.Second},
	}
}

// askKeeping lets the gate be resolved last: until then the other join waits for
// it, which therefore grows, and has the race spare the gate.
func askKeeping(ctx context.Context, client *dispatch.Queue) error {
	var settled *deferred.SettledError
	come := func(err error) error { // a word that has come already is no fault
		if errors.As(err, &settled) {
			return nil
		}
		return err
	}
	until := func(id deferred.ID, holds func(r *deferred.Record) bool) error {
		return recordBecomes(ctx, client, id, holds)
	}
	submit := func() error {
		_, err := client.Submit(ctx, early)
		return err
	}
	for i, step := range []func() error{
		func() error { return come(deferred.ResolvePromise(ctx, client, earlyToken, 5)) },
		submit,
		func() error { return until("dismissed", func(r *deferred.Record) bool { return r.State.Settled() }) },
		func() error { return client.Open("dismissed").Handle(ctx) },
		func() error {
			return until("gate", func(r *deferred.Record) bool { return r.Attached("grown") != nil })
		},
		// A word that comes before its promise is met is kept, and carried out later
		// than the gate's, perhaps.
		func() error {
			return until("whistle", func(r *deferred.Record) bool { return r.Attached("race") != nil })
		},
		func() error { return come(deferred.RejectPromise(ctx, client, whistleToken, errors.New("no"))) },
		func() error { return until("whistle", func(r *deferred.Record) bool { return r.State.Settled() }) },
		func() error { return come(client.Open("grown").AddMembers(ctx, client.Open("second"))) },
		func() error { return come(deferred.ResolvePromise(ctx, client, gateToken, true)) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func recordBecomes(ctx context.Context, l deferred.Ledger, id deferred.ID, holds func(r *deferred.Record) bool) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := l.Record(ctx, id)
		if err != nil || holds(&r) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func handleKeeping(ctx context.Context, a *deferred.Attempt) deferred.Outcome {
	in, err := a.Input()
	if err != nil {
		return deferred.OutcomeOf(err)
	}
	switch a.Lane.Name {
	case "value":
		in = deferred.JSON([]byte("1"))
	case "big":
		in = deferred.JSON([]byte(big))
	case "size":
		in = deferred.JSON([]byte(strconv.Itoa(len(in.Data))))
	case "fail":
		return deferred.OutcomeOf(&deferred.Failure{Kind: "refused", Message: "no"})
	case "note":
		return noteMuch(deferred.WithAttempt(ctx, a), a)
	}
	return deferred.Outcome{State: deferred.Succeeded, Result: in}
}

// noteMuch annotates faster than annotations are written. It saves a checkpoint and
// fails; with the checkpoint it succeeds.
func noteMuch(ctx context.Context, a *deferred.Attempt) deferred.Outcome {
	var saved int
	found, err := deferred.LoadCheckpoint(ctx, &saved)
	for i := 0; i <= 20 && err == nil; i++ {
		err = deferred.Annotate(ctx, deferred.ProgressKey, 100*a.Number+i)
	}
	if err == nil && found {
		return deferred.Outcome{State: deferred.Succeeded, Result: deferred.JSON([]byte(strconv.Itoa(saved)))}
	}
	if err == nil {
		err = deferred.SaveCheckpoint(ctx, 7)
	}
	if err == nil {
		err = untilNoted(ctx, a)
	}
	if err == nil {
		err = errors.New("again")
	}
	return deferred.OutcomeOf(deferred.RetryAfter(10*time.Millisecond, err))
}

// untilNoted annotates until something has been written at the end of an interval:
// the first value is not, but at once.
func untilNoted(ctx context.Context, a *deferred.Attempt) error {
	d := deferred.Open(a.Ledger, a.ID)
	return recordBecomes(ctx, a.Ledger, a.ID, func(*deferred.Record) bool {
		if deferred.Annotate(ctx, deferred.ProgressKey, 100*a.Number+99) != nil {
			return true // and it is tried again by the next attempt
		}
		for n, err := range d.Annotations(ctx) {
			if err != nil || n.Key == deferred.ProgressKey && string(n.Value) == strconv.Itoa(100*a.Number+99) {
				return true
			}
		}
		return false
	})
}

// wantKeeping is without those that checkKeeping looks at.
func wantKeeping() map[deferred.ID]string {
	return map[deferred.ID]string{
		"first": "succeeded 1", "second": "succeeded 1", "gate": "succeeded true", "early": "succeeded 5",
		"grown": "succeeded [true,1,1]", child("grown", 0): "succeeded [true,1,1]",
		"big-1": "succeeded " + short(big), "big-2": "succeeded " + short(big),
		child("large", 0): "succeeded " + strconv.Itoa(2*len(big)+len("[,]")),
		"whistle":         "failed rejected", "race": "failed rejected", "lone": "cancelled cancelled",
		"noted": "succeeded 7",
	}
}
