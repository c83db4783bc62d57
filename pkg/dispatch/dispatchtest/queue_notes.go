package dispatchtest

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
	old := w.claim()
	w.fail(old, deferred.RetryAfter(10*time.Millisecond, errors.New("again")))
	a := w.claim()
	note := func(a *deferred.Attempt, value string) error {
		return a.Ledger.Annotate(r.ctx, "a", deferred.Note{Key: "k", Value: []byte(value)})
	}
	if err := note(a, `2`); err != nil {
		r.Fatal(err)
	}
	if err := note(old, `1`); !errors.Is(err, deferred.ErrLost) {
		r.Errorf("the older attempt's annotation was answered with %v", err)
	}
	for n, err := range r.queue.Annotations(r.ctx, "a") {
		if err != nil || string(n.Value) != `2` {
			r.Errorf("read %s (%v)", n.Value, err)
		}
	}
	w.succeed(a)
}
