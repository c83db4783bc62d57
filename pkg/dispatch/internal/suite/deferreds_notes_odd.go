package suite

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

var oddNoteCases = []rigCase{
	{"WhatIsNoAnnotationIsNamedAndHidesNoOthers", garbageNote},
	{"AnnotationOfAnAttemptThatNeverWasStopsNoCheckpoint", noteOfNoAttempt},
	{"OutcomeDoesNotWaitForAnnotationsThatNobodyAnswers", outcomeWithoutNotes},
}

// notesRaw writes an annotation as anybody may who reaches the store.
func (r *rig) notesRaw(name, value string) {
	r.Helper()
	w := driver.Write{Key: driver.Key{Space: driver.Notes, Name: name}, Value: []byte(value), Expect: driver.Unconditional}
	if err := r.pair.Store.Write(r.ctx, []driver.Write{w})[0].Err; err != nil {
		r.Fatal(err)
	}
}

func garbageNote(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	odd := map[string]string{"word": "17%", "null": "null", "empty": "{}", "list": "[]", "attempt": `{"value":1,"attempt":"1"}`}
	for key, value := range odd {
		r.notesRaw("a."+key, value)
	}
	r.notes(a, "good", `1`)
	shown := 0
	for n, err := range r.queue.Annotations(r.ctx, "a") {
		switch {
		case err == nil && n.Key == "good" && string(n.Value) == `1`:
			shown++
		case !errors.Is(err, dispatch.ErrUnreadable) || odd[n.Key] == "" || !strings.Contains(err.Error(), "a."+n.Key):
			r.Errorf("an annotation is %+v (%v)", n, err)
		default:
			delete(odd, n.Key)
		}
	}
	if shown != 1 || len(odd) > 0 {
		r.Errorf("the good one is shown %d times, and not named are %v", shown, odd)
	}
	w.succeed(a)
	var settled *deferred.SettledError
	if _, err := r.queue.Open("a").AwaitAnnotation(r.ctx, "none", nil); !errors.As(err, &settled) {
		r.Errorf("who waits for another one is told %v", err)
	}
	if n, err := r.queue.Open("a").AwaitAnnotation(r.ctx, "good", nil); err != nil || string(n.Value) != `1` {
		r.Errorf("who waits for the good one is given %+v, %v", n, err)
	}
}

func noteOfNoAttempt(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	r.notesRaw("a.checkpoint", `{"value":1,"attempt":99}`)
	if err := deferred.SaveCheckpoint(deferred.WithAttempt(r.ctx, a), 7); err != nil {
		r.Errorf("the one attempt there is cannot save: %v", err)
	}
	r.noted("a", map[string]string{"checkpoint": `7`}, false)
	w.succeed(a)
}

// silentNotes is a store that answers no write of an annotation.
type silentNotes struct {
	driver.Store
	silent atomic.Bool
}

func (s *silentNotes) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	if writes[0].Space != driver.Notes || !s.silent.Load() {
		return s.Store.Write(ctx, writes)
	}
	limit, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	<-limit.Done()
	answers := make([]driver.Written, len(writes))
	for i := range answers {
		answers[i].Err = driver.ErrUnknown
	}
	return answers
}

func outcomeWithoutNotes(r *rig) {
	s := &silentNotes{Store: r.pair.Store}
	w := r.join(r.over(s, r.pair.Broker), "greet")
	r.submit(greeting("a"))
	a := w.claim()
	r.notes(a, "k", `1`)
	s.silent.Store(true)
	r.notes(a, "k", `2`) // it is kept for later
	began := time.Now()
	w.succeed(a)
	if took := time.Since(began); took > drivertest.Patience/2 {
		r.Errorf("the outcome was stored after %v", took)
	}
	r.await("a", deferred.Succeeded)
}
