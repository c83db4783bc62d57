package deferred

import "context"

// Awaiting tells the worker whose handler has this context that the handler waits
// for a deferred that is open, until end is called. It is for ledgers whose
// deferreds need a worker: a handler that waits keeps its slot from them.
func Awaiting(ctx context.Context, id ID) (end func()) {
	if a := AttemptFrom(ctx); a != nil && a.Awaits != nil {
		return a.Awaits(id)
	}
	return func() {}
}
