package suite

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/deferred"
)

func annotations(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	seen := make(chan string, 16)
	go func() {
		defer close(seen)
		for c, err := range r.queue.Watch(ctx, "a") {
			switch {
			case err != nil:
				return
			case c.Note != nil:
				seen <- c.Note.Key + "=" + string(c.Note.Value)
			default:
				seen <- string(c.Record.State)
			}
		}
	}()
	for first := range seen {
		if first == string(deferred.Running) {
			break
		}
	}
	if err := deferred.Report(deferred.WithAttempt(r.ctx, a), deferred.Progress{Done: 1, Total: 2}); err != nil {
		r.Fatal(err)
	}
	if got := <-seen; got != `progress={"done":1,"total":2}` {
		r.Errorf("saw %s", got)
	}
	w.succeed(a)
	if got := <-seen; got != string(deferred.Succeeded) {
		r.Errorf("saw %s", got)
	}
	if more, open := <-seen; open {
		r.Errorf("saw %s after the end", more)
	}
	n := 0
	for note, err := range r.queue.Annotations(r.ctx, "a") {
		n++
		if err != nil || note.Key != deferred.ProgressKey || note.Attempt != 1 || note.Past {
			r.Errorf("read %+v (%v)", note, err)
		}
	}
	if n != 1 {
		r.Errorf("read %d annotations, want 1", n)
	}
}

func oldAnnotations(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	note := deferred.Note{Key: "k", Value: []byte(`1`)}
	if err := a.Ledger.Annotate(r.ctx, "a", note); err != nil {
		r.Fatal(err)
	}
	r.write("a", func(rec *deferred.Record) { rec.Attempt, rec.Token.Attempt = 2, 2 })
	r.notesRaw("a.k", `{"value":2,"attempt":2}`)
	// A checkpoint is written at once, whatever was written before.
	r.notesRaw("a.checkpoint", `{"value":2,"attempt":2}`)
	note.Key = deferred.CheckpointKey
	if err := a.Ledger.Annotate(r.ctx, "a", note); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("the older attempt's annotation was answered with %v", err)
	}
	r.noted("a", map[string]string{"k": `2`, "checkpoint": `2`}, false)
	r.write("a", func(rec *deferred.Record) { rec.Attempt, rec.Token.Attempt = 1, 1 })
	_ = w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Succeeded})
}

// What a handler has left behind may go on when it has returned. It is told, and
// what it says is not stored: progress of half on a call that has succeeded.
func annotationAfterTheOutcome(r *rig) {
	w := r.join(r.queue, "greet")
	outcomes := map[deferred.ID]deferred.Outcome{
		"succeeds": {State: deferred.Succeeded},
		"again":    deferred.OutcomeOf(deferred.RetryAfter(time.Hour, errors.New("no"))),
		"snoozes":  deferred.OutcomeOf(deferred.Snooze(time.Hour)),
		"adopts":   deferred.OutcomeOf(deferred.Adopt(r.queue.Open("inner"))),
	}
	for id, o := range outcomes {
		r.submit(greeting(id))
		a := w.claim()
		ctx := deferred.WithAttempt(r.ctx, a)
		r.notes(a, "k", `1`)
		r.notes(a, "k", `2`) // it is kept for later, and the outcome does not come without it
		if err := w.feed.Settle(r.ctx, a, o); err != nil {
			r.Fatal(err)
		}
		for _, err := range []error{deferred.Annotate(ctx, "k", 3), deferred.Annotate(ctx, "l", 3), deferred.SaveCheckpoint(ctx, 3)} {
			if !errors.Is(err, deferred.ErrLost) {
				r.Errorf("an annotation of %s after its outcome was answered with %v", id, err)
			}
		}
		r.noted(id, map[string]string{"k": `2`}, false)
	}
}

// The same of a handler that goes on when its worker has left.
func annotationAfterTheLeave(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	w.leaveNow()
	if err := deferred.Annotate(deferred.WithAttempt(r.ctx, a), "k", 1); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("answered with %v", err)
	}
	r.noted("a", nil, false)
}
