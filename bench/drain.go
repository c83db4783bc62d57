package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// drainBars are by the number of slots; others have none.
var drainBars = map[int]bar{10: atLeast(0.5), 100: atLeast(0.5)}

func (b *bench) drain(ctx context.Context) error {
	for _, slots := range b.slots {
		err := b.hold(ctx, contest{
			what: fmt.Sprintf("drain, tracked, %d slots", slots), n: b.n, bar: drainBars[slots],
			prepare: func(ctx context.Context, p *place) error { return p.fill(ctx, b.n) },
			ours:    func(ctx context.Context, p *place) error { return p.performAll(ctx, slots, b.n) },
			floor:   func(ctx context.Context, p *place) error { return p.floorDrain(ctx, slots, b.n) },
			check: func(ctx context.Context, p *place) error {
				return errors.Join(p.holds(ctx, p.queueStream(), 0), p.holds(ctx, p.recordStream(), b.n))
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// performAll runs a pool until n calls have been performed and settled.
func (p *place) performAll(ctx context.Context, slots, n int) error {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	var performed atomic.Int64
	var mux workerpool.Mux
	mux.Handle(callName, func(context.Context, deferred.Content) (deferred.Content, error) {
		if performed.Add(1) == int64(n) {
			enough()
		}
		return someResult, nil
	})
	pool := workerpool.Pool{Source: p.queue, Mux: &mux, Slots: slots, Logger: quiet}
	if err := pool.Run(ctx); err != nil {
		return err
	}
	return p.nc.Flush()
}
