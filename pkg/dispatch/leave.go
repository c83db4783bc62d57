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

// Leave stops the supply, waits for what is on its way, and says goodbye.
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

// over waits for the end of some work.
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

// abandon gives back a call whose handler goes on regardless. That the worker
// leaves is not the call's fault, so nobody may count a death; the handler's
// token fences it.
func (f *feed) abandon(ctx context.Context, h *holding) {
	f.mu.Lock()
	claimed := h.attempt != nil
	f.mu.Unlock()
	// What somebody else ends is his, who has not returned yet.
	if !claimed || !f.ends(h) || f.commitRecord(ctx, h, func(r *deferred.Record) { r.State, r.Started = deferred.Pending, time.Time{} }) != nil {
		f.drop(h)
		return
	}
	f.letCome(h, 0, "abandoned", nil)
}

// abandoned are the calls that are held still when the worker leaves: claimed,
// and neither settled nor declined. Their leases run out.
func (f *feed) abandoned() []*holding {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.held))
}
