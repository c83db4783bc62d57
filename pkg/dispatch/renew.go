package dispatch

import (
	"context"
	"log/slog"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/complaints"
)

// renew extends every held delivery, four times within a lease. One timer does that for
// all, whatever the handlers do.
func (f *feed) renew(ctx context.Context) {
	tick := time.NewTicker(f.config.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		f.renewOnce(ctx)
	}
}

const notRenewed = "leases not renewed"

func (f *feed) renewOnce(ctx context.Context) {
	now := time.Now()
	due := f.leases.due(now)
	for _, h := range f.lapsed() {
		f.loops.Go(func() { f.resume(ctx, h) }) // the other leases do not wait for this answer
	}
	if len(due) == 0 {
		return
	}
	f.loops.Go(func() { f.extend(ctx, due, now) }) // a slow answer does not delay the next renewal
}

// extend tells the broker, at a time, that this worker still holds deliveries.
func (f *feed) extend(ctx context.Context, held []driver.Delivery, at time.Time) {
	extends := make([]driver.Settlement, len(held))
	for i, d := range held {
		extends[i] = driver.Settlement{Delivery: d, Verdict: driver.Extend}
	}
	if err := f.records.Broker.Settle(ctx, extends); err != nil {
		if ctx.Err() == nil {
			f.wrong.Say("", complaints.Complaint{Level: slog.LevelWarn, Says: notRenewed, Over: "leases are renewed again", Err: err, Of: []any{"leases", len(extends)}})
		}
		return
	}
	f.wrong.Over("", notRenewed)
	f.leases.renewed(held, at)
}

// lapsed gives the attempts performed here whose leases had a gap.
func (f *feed) lapsed() (lapsed []*holding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, h := range f.held {
		if h.attempt != nil && !h.settling && f.leases.hasLapsed(&h.delivery) {
			lapsed = append(lapsed, h)
		}
	}
	return lapsed
}

// resume lets the lease of an attempt be renewed again, once the record says that the
// attempt is in force.
func (f *feed) resume(ctx context.Context, h *holding) {
	now, err := f.records.ReadLatest(ctx, h.delivery.ID)
	if err == nil && f.inForce(h, now.Record) {
		f.leases.again(&h.delivery)
	}
}
