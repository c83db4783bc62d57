package suite

import (
	"sync/atomic"

	"zasync/pkg/deferred"
)

// The worker of a handler that waits in its slot is told, while what it waits for
// is open.
func handlerThatAwaits(r *rig) {
	w := r.join(r.queue, "greet")
	r.submit(greeting("outer"), greeting("inner"))
	attempts := map[deferred.ID]*deferred.Attempt{}
	for range 2 {
		a := w.claim()
		attempts[a.ID] = a
	}
	a := attempts["outer"]
	var waits, waited atomic.Int64
	began := make(chan deferred.ID, 2)
	a.Awaits = func(on deferred.ID) func() {
		waits.Add(1)
		began <- on
		return func() { waited.Add(1) }
	}
	ctx := deferred.WithAttempt(r.ctx, a)
	done := make(chan error, 1)
	go func() {
		_, err := r.queue.Open("inner").Await(ctx)
		done <- err
	}()
	select {
	case on := <-began:
		if on != "inner" || waited.Load() != 0 {
			r.Errorf("it waits for %s, and has ended %d times", on, waited.Load())
		}
	case <-r.ctx.Done():
		r.Fatal("the worker was never told")
	}
	w.succeed(attempts["inner"])
	if err := <-done; err != nil || waited.Load() != 1 {
		r.Errorf("it has ended to wait %d times (%v)", waited.Load(), err)
	}
	if _, err := r.queue.Open("inner").Await(ctx); err != nil || waits.Load() != 1 {
		r.Errorf("it was said to wait %d times (%v), the last time for what has settled", waits.Load(), err)
	}
	w.succeed(a)
}
