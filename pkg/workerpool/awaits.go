package workerpool

import (
	"context"
	"log/slog"

	"zasync/pkg/deferred"
)

// awaits notes that a handler waits for another deferred while it keeps its slot.
// When all do, what they wait for may need one of these slots, and nothing would
// ever say why all stands still.
func (r *run) awaits(ctx context.Context, t *task, id deferred.ID) (end func()) {
	t.waits.Add(1) // before it looks at the others: of several that begin at once, the last sees all
	if r.allWait() && t.lane.warned.CompareAndSwap(false, true) {
		r.log.LogAttrs(ctx, slog.LevelWarn, "every slot has a handler that waits for another deferred, which none of them can perform; return deferred.Adopt of it instead",
			about(&t.attempt.Offer, slog.String("awaits", string(id)), slog.Int("slots", len(r.slots)))...)
	}
	return func() { t.waits.Add(-1) }
}

// allWait: no handler that could return gives its slot back by itself.
func (r *run) allWait() bool {
	for i := range r.slots {
		t := r.slots[i].task.Load()
		if t == nil || t.waits.Load() == 0 && t.fate.Load() != hung {
			return false
		}
	}
	return true
}
