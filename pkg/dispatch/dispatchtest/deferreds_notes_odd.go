package dispatchtest

import (
	"context"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

var oddNoteCases = []rigCase{
	{"WhatIsNoAnnotationHidesNoOthers", garbageNote},
	{"AnnotationOfAnAttemptThatNeverWasStopsNoCheckpoint", noteOfNoAttempt},
	{"OutcomeDoesNotWaitForAnnotationsThatNobodyAnswers", outcomeWithoutNotes},
}

// notesRaw writes an annotation as anybody may who reaches the store.
func (r *rig) notesRaw(name, value string) {
	r.Helper()
	w := dispatch.Write{Key: dispatch.Key{Space: dispatch.Notes, Name: name}, Value: []byte(value), Expect: dispatch.Unconditional}
	if err := r.pair.Store.Write(r.ctx, []dispatch.Write{w})[0].Err; err != nil {
		r.Fatal(err)
	}
}

func garbageNote(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	a := w.claim()
	r.notesRaw("a.bad", "17%")
	r.notes(a, "good", `1`)
	r.noted("a", map[string]string{"good": `1`}, false)
	w.succeed(a)
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
	dispatch.Store
	silent atomic.Bool
}

func (s *silentNotes) Write(ctx context.Context, writes []dispatch.Write) []dispatch.Written {
	if writes[0].Space != dispatch.Notes || !s.silent.Load() {
		return s.Store.Write(ctx, writes)
	}
	limit, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	<-limit.Done()
	answers := make([]dispatch.Written, len(writes))
	for i := range answers {
		answers[i].Err = dispatch.ErrUnknown
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
	if took := time.Since(began); took > patience/2 {
		r.Errorf("the outcome was stored after %v", took)
	}
	r.await("a", deferred.Succeeded)
}
