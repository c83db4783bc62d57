package suite

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// A handler tells of another call as anybody would: its word stands on that call,
// as one of that call's present attempt.
func noteOnAnother(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	r.submit(deferred.Call{ID: "b", Name: "follow"})
	f := r.join(r.queue, "follow")
	again := f.claim()
	f.fail(again, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	b := f.claim()
	r.submit(named("nobody", "c"))
	for _, id := range []deferred.ID{"a", "b", "c"} {
		if err := deferred.Open(a.Ledger, id).Annotate(r.ctx, "from", string(id)); err != nil {
			r.Errorf("%s: %v", id, err)
		}
	}
	for id, attempt := range map[deferred.ID]int{"a": 1, "b": 2, "c": 0} {
		n, err := r.queue.Open(id).AwaitAnnotation(r.ctx, "from", nil)
		if err != nil || string(n.Value) != `"`+string(id)+`"` || n.Attempt != attempt || n.Past {
			r.Errorf("%s has %s of attempt %d, past %t (%v), want its own of attempt %d", id, n.Value, n.Attempt, n.Past, err, attempt)
		}
		r.noted(id, map[string]string{"from": `"` + string(id) + `"`}, false)
	}
	f.succeed(b)
	w.succeed(a)
}

// A checkpoint is stored when it has been saved, however fast one comes after the
// other: the process may be gone in the next moment.
func checkpointIsStored(r *rig) {
	w, kill := r.joinMortal("greet")
	r.submit(greeting("a"))
	a := w.claim()
	ctx := deferred.WithAttempt(r.ctx, a)
	if err := deferred.Report(ctx, deferred.Progress{Done: 1}); err != nil { // what follows soon may be kept for a while
		r.Fatal(err)
	}
	for i := range 5 {
		if err := deferred.SaveCheckpoint(ctx, i); err != nil {
			r.Fatal(err)
		}
		if got := r.checkpoint("a"); got != strconv.Itoa(i) {
			r.Fatalf("%d is saved, and %q is stored", i, got)
		}
	}
	kill()
	other := r.join(r.queue, "greet")
	next := other.claim()
	if string(next.Checkpoint) != `4` || next.Number != 2 {
		r.Errorf("attempt %d goes on from %q, want the last that was saved", next.Number, next.Checkpoint)
	}
	other.succeed(next)
}

// checkpoint is the one that is stored.
func (r *rig) checkpoint(id deferred.ID) string {
	r.Helper()
	for e, err := range r.pair.Store.List(r.ctx, driver.Query{Space: driver.Notes, Prefix: string(id) + "."}) {
		if err != nil {
			r.Fatal(err)
		}
		if e.Name == string(id)+"."+deferred.CheckpointKey {
			var n deferred.Note
			if err := json.Unmarshal(e.Value, &n); err != nil {
				r.Fatal(err)
			}
			return string(n.Value)
		}
	}
	return ""
}
