package main

import (
	"context"
	"fmt"
	"time"

	"zasync/pkg/deferred"
)

const (
	dueEvery = 2 * time.Millisecond // 500 a second
	dueFirst = 2 * time.Second      // after all have been submitted, and before their worker is busy with them
)

// delayed measures how late calls start that were to start at a time. There is
// no floor: the server alone fires schedules every quarter of a second.
func (b *bench) delayed(ctx context.Context) error {
	p, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer p.close(ctx)
	var late durations
	err = b.while(ctx, p, servePool, func(ctx context.Context, s starts) error {
		begin := time.Now().Add(dueFirst)
		if err := p.submitDue(ctx, begin, b.due); err != nil {
			return err
		}
		at, err := s.collect(ctx, b.due)
		for i := range at {
			late = append(late, at[i].Sub(begin.Add(time.Duration(i)*dueEvery)))
		}
		return err
	})
	if err != nil {
		return err
	}
	early := 0
	for _, d := range late {
		if d < 0 {
			early++
		}
	}
	fmt.Fprintf(b.notes, "delayed, %d calls\n", len(late))
	b.rows = append(b.rows,
		countRow("delayed, started early", atMost(0), early),
		timeRow("delayed, lateness p50", atMost(5), late.quantile(0.5), 0),
		timeRow("delayed, lateness p99", atMost(25), late.quantile(0.99), 0),
	)
	return nil
}

// submitDue submits n calls that are due one after the other.
func (p *place) submitDue(ctx context.Context, begin time.Time, n int) error {
	due := make([]deferred.Call, n)
	for i := range due {
		due[i] = deferred.Call{
			Name: callName, Args: deferred.JSON(args(i)), NotBefore: begin.Add(time.Duration(i) * dueEvery),
		}
	}
	_, err := p.queue.Submit(ctx, due...)
	return err
}
