package dispatch

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// leases are the deliveries that this worker holds.
type leases struct {
	mu         sync.Mutex
	deliveries map[string]Delivery // by handle
}

func (l *leases) add(d Delivery) {
	l.mu.Lock()
	l.deliveries[d.Handle] = d
	l.mu.Unlock()
}

func (l *leases) remove(d Delivery) {
	l.mu.Lock()
	delete(l.deliveries, d.Handle)
	l.mu.Unlock()
}

func (l *leases) all() []Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.deliveries))
}

// renew extends everything held, four times in a lease, from one timer and
// whatever the handlers do.
func (f *feed) renew(ctx context.Context) {
	tick := time.NewTicker(f.config.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		deliveries := f.leases.all()
		if len(deliveries) == 0 {
			continue
		}
		extends := make([]Settlement, len(deliveries))
		for i, d := range deliveries {
			extends[i] = Settlement{Delivery: d, Verdict: Extend}
		}
		if err := f.broker.Settle(ctx, extends); err != nil && ctx.Err() == nil {
			f.log.Warn("leases not renewed", "count", len(extends), "err", err)
		}
	}
}
