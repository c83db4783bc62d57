package dispatchtest

import (
	"errors"
	"time"

	"zasync/pkg/deferred"
)

func checkpointIsHandedOn(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	if err := deferred.SaveCheckpoint(deferred.WithAttempt(r.ctx, a), 7); err != nil {
		r.Fatal(err)
	}
	w.fail(a, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	a = w.claim()
	if a.Number != 2 || string(a.Checkpoint) != `7` {
		r.Errorf("attempt %d has checkpoint %q, want that of the first", a.Number, a.Checkpoint)
	}
	w.succeed(a)
}

func membersAreAdded(r *rig) {
	r.perform(map[string]handler{"greet": func(a *deferred.Attempt) (string, error) { return `"` + string(a.ID) + `"`, nil }})
	all := r.must(deferred.All(r.ctx, r.queue, r.queue.Open("a")))
	eventually(r.T, "the join waits", func() bool {
		rec, err := r.queue.Record(r.ctx, all.ID())
		return err == nil && rec.Waits != nil
	})
	if err := all.AddMembers(r.ctx, r.queue.Open("b")); err != nil {
		r.Fatal(err)
	}
	r.submit(named("greet", "a"), named("greet", "b"))
	r.gives(all.ID(), `["a","b"]`)
	var settled *deferred.SettledError
	if err := all.AddMembers(r.ctx, r.queue.Open("c")); !errors.As(err, &settled) {
		r.Errorf("a member that came too late was answered with %v", err)
	}
}
