package suite

import (
	"context"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// unfired is a callback that nobody has met: its parent is open. A join waits for it.
func (r *rig) unfired(q *dispatch.Queue) deferred.ID {
	c := named("nobody", "parent")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	id := child("parent", 0)
	r.submit(c)
	r.join(q, "nothing")
	r.submit(joinOf("join", deferred.JoinAll, id))
	r.comesToBe(id, "is waited for", func(rec *deferred.Record) bool { return rec.Attached("join") != nil })
	return id
}

func hasBeenCancelled(rec *deferred.Record) bool { return rec.State == deferred.Cancelled }

func cancelUnfiredRefused(r *rig) {
	q, refused := r.refusesOnce(func(m driver.Message) bool { return m.Verb == "cancel" && m.ID == child("parent", 0) })
	id := r.unfired(q)
	r.cancel("join", "enough")
	r.comesToBe(id, "is cancelled with its join", hasBeenCancelled)
	if !refused.Load() {
		r.Error("no word was refused: this case says nothing")
	}
}

// letGoUnanswered stores that a join lets go of a record, and does not say so, once.
type letGoUnanswered struct {
	driver.Store
	key  driver.Key
	lost atomic.Bool
}

func (s *letGoUnanswered) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	written := s.Store.Write(ctx, writes)
	for i, w := range writes {
		var rec deferred.Record
		if w.Key != s.key || rec.UnmarshalJSON(w.Value) != nil {
			continue
		}
		if e := rec.Attached("join"); (e == nil || e.Settled) && s.lost.CompareAndSwap(false, true) {
			written[i].Err = driver.ErrUnknown
		}
	}
	return written
}

func cancelUnfiredUnanswered(r *rig) {
	s := &letGoUnanswered{Store: r.pair.Store, key: driver.Key{Space: driver.Records, Name: string(child("parent", 0))}}
	id := r.unfired(r.over(s, r.pair.Broker))
	r.cancel("join", "enough")
	r.comesToBe(id, "is cancelled with its join", hasBeenCancelled)
	if !s.lost.Load() {
		r.Error("no answer was lost: this case says nothing")
	}
}
