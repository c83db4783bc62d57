package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/pprof"
	"time"

	"zasync/pkg/deferred"
)

// interval is the time between two calls whose latency is measured.
const interval = 10 * time.Millisecond

// A pacer submits numbered calls that are served meanwhile.
type pacer struct {
	label  string
	submit func(ctx context.Context, p *place, number int) error
	serve  serving
	took   durations
}

// latency is the time from the return of a submit to the start of the handler,
// when little else is going on. The floor is measured with a claim before the
// handler, as ours has, and without.
func (b *bench) latency(ctx context.Context) error {
	pacers := []pacer{
		{label: "floor", submit: publishNumber, serve: serveFloor(true)},
		{label: "ours", submit: submitNumber, serve: servePool},
		{label: "floor", submit: publishNumber, serve: serveFloor(false)},
	}
	n := int(b.span / interval / time.Duration(b.rounds))
	for i := range b.rounds {
		for j := range pacers {
			if err := b.pace(ctx, &pacers[j], n); err != nil {
				return fmt.Errorf("latency, %s: %w", pacers[j].label, err)
			}
		}
		fmt.Fprintf(b.notes, "latency, round %d of %d\n", i+1, b.rounds)
	}
	claims, ours, plain := pacers[0].took, pacers[1].took, pacers[2].took
	b.rows = append(b.rows,
		timeRow("latency p50", atMost(0.5), ours.quantile(0.5), claims.quantile(0.5)),
		timeRow("latency p99", atMost(3), ours.quantile(0.99), claims.quantile(0.99)),
		timeRow("latency max", bar{}, ours.quantile(1), claims.quantile(1)),
		timeRow("latency p50, floor without claim", bar{}, ours.quantile(0.5), plain.quantile(0.5)),
		timeRow("latency p99, floor without claim", bar{}, ours.quantile(0.99), plain.quantile(0.99)),
	)
	return nil
}

func submitNumber(ctx context.Context, p *place, number int) error {
	_, err := deferred.SubmitOne(ctx, p.queue, deferred.Call{Name: callName, Args: deferred.JSON(args(number))})
	return err
}

func publishNumber(ctx context.Context, p *place, number int) error {
	_, err := p.js.Publish(ctx, p.callSubject(deferred.NewID()), args(number))
	return err
}

func (b *bench) pace(ctx context.Context, x *pacer, n int) (err error) {
	pprof.Do(ctx, pprof.Labels("side", x.label), func(ctx context.Context) {
		var p *place
		if p, err = b.open(ctx); err != nil {
			return
		}
		defer p.close(ctx)
		err = b.while(ctx, p, x.serve, func(ctx context.Context, s starts) error { return x.run(ctx, p, s, n) })
	})
	return err
}

// run submits n calls, one each interval, after a first one that opens the lane.
func (x *pacer) run(ctx context.Context, p *place, s starts, n int) error {
	if err := x.submit(ctx, p, 0); err != nil {
		return err
	}
	if _, err := s.collect(ctx, 1); err != nil {
		return err
	}
	returned := make([]time.Time, n)
	begin := time.Now()
	for i := range returned {
		// Not in step with any timer.
		if err := until(ctx, begin.Add(time.Duration(i)*interval+rand.N(interval))); err != nil {
			return err
		}
		if err := x.submit(ctx, p, i); err != nil {
			return err
		}
		returned[i] = time.Now()
	}
	at, err := s.collect(ctx, n)
	if err != nil {
		return err
	}
	for i := range at {
		x.took = append(x.took, at[i].Sub(returned[i]))
	}
	return nil
}

func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
