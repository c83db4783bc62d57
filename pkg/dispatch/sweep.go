package dispatch

import (
	"context"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

const overdue = 5 * time.Second // a schedule fires within a fraction of that

// sweep looks for schedules that are overdue, and puts them again. The server
// tries to fire each only once: one that was refused then, because the store
// was full, would never fire.
func (f *feed) sweep(ctx context.Context) {
	every := f.config.SweepEvery
	var swept noteSweep
	for wait := every; liveness.Pause(ctx, wait) == nil; {
		began := time.Now()
		if f.turns.turn(ctx) {
			f.sweepOnce(ctx)
			f.bound(ctx)
			swept.sweep(ctx, f)
		}
		// A scan of very many is for the server to bear; but one that only had to wait
		// must not put off the next for long.
		wait = min(max(every, 20*time.Since(began)), 10*every)
	}
}

func (f *feed) sweepOnce(ctx context.Context) {
	late := f.records.Clock.Now().Add(-overdue)
	for d, err := range f.records.Broker.Pending(ctx, driver.Page{Route: driver.Delay}) {
		if err != nil {
			return
		}
		if d.At.IsZero() || d.At.After(late) {
			continue
		}
		m := d.Message
		m.At = f.records.Clock.Now()
		if err := f.records.Put(ctx, m); err != nil {
			f.log.Warn("overdue schedule not put again", "id", d.ID, "name", d.Name, "err", err)
			return
		}
		f.log.Info("overdue schedule put again", "id", d.ID, "name", d.Name)
	}
}
