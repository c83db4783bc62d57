package dispatch

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"zasync/pkg/deferred"
)

// Leave stops the supply of calls, waits for the work on its way, and deletes the heartbeat
// of the worker.
func (f *feed) Leave(ctx context.Context) error {
	f.mu.Lock()
	if f.left {
		f.mu.Unlock()
		return nil
	}
	f.left = true
	f.mu.Unlock()
	f.close()
	f.intake.Wait()
	err := errors.Join(f.calls.Close(), f.house.Close())
	for _, h := range f.abandoned() {
		h.endLedger(ctx)
	}
	err = errors.Join(err, over(ctx, &f.work))
	for len(f.offers) > 0 {
		f.letCome((<-f.offers).Handle.(*holding), 0, "the worker leaves", nil)
	}
	for _, h := range f.abandoned() {
		f.abandon(ctx, h)
	}
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	err = errors.Join(err, over(ctx, &f.late))
	f.stop()
	f.loops.Wait()
	f.duties.Turn.Leave(ctx)
	f.log.Debug("feed closed", "incarnation", f.worker.Incarnation)
	return errors.Join(err, f.beat.Leave(ctx))
}

// over waits until some work has ended, or the context has.
func over(ctx context.Context, work *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { work.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// abandon gives back a call whose handler still runs. The call is not at fault when its
// worker leaves, so no worker may count a death. The token of the attempt fences the
// handler. Where abandon cannot give the call back, the lease runs out.
func (f *feed) abandon(ctx context.Context, h *holding) {
	f.mu.Lock()
	claimed := h.attempt != nil
	f.mu.Unlock()
	// Another goroutine may be ending the attempt, and has not returned yet.
	if !claimed || !f.ends(h) || f.commitRecord(ctx, h, func(r *deferred.Record) { r.State, r.Started = deferred.Pending, time.Time{} }) != nil {
		f.drop(h)
		return
	}
	f.letCome(h, 0, "abandoned", nil)
}

// abandoned gives the calls that the worker still holds when it leaves, most of them
// claimed, and neither settled nor declined.
func (f *feed) abandoned() []*holding {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.held))
}
