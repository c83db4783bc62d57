package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// serving performs calls in a place until ctx ends, each with handle.
type serving func(ctx context.Context, p *place, handle func(args []byte)) error

const servingSlots = 10

func servePool(ctx context.Context, p *place, handle func(args []byte)) error {
	var mux workerpool.Mux
	mux.Handle(callName, func(_ context.Context, in deferred.Content) (deferred.Content, error) {
		handle(in.Data)
		return someResult, nil
	})
	pool := workerpool.Pool{Source: p.queue, Mux: &mux, Slots: servingSlots, Logger: quiet}
	return pool.Run(ctx)
}

func serveFloor(claims bool) serving {
	return func(ctx context.Context, p *place, handle func(args []byte)) error {
		return p.floorServe(ctx, claims, handle)
	}
}

// A start is when the handler of a numbered call began.
type start struct {
	number int
	at     time.Time
}

// starts are those that came of a serving.
type starts chan start

// while calls are served, over a connection of the worker's own, do is done.
func (b *bench) while(ctx context.Context, p *place, serve serving, do func(context.Context, starts) error) error {
	worker, err := b.connect(ctx, p.namespace)
	if err != nil {
		return err
	}
	defer worker.nc.Close()
	began := make(starts, 1<<16) // never full: a handler that waits here would be late
	serveCtx, stop := context.WithCancel(ctx)
	doCtx, fail := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	go func() {
		err := serve(serveCtx, worker, began.note)
		fail(fmt.Errorf("the worker ended: %w", err))
		ended <- err
	}()
	err = do(doCtx, began)
	stop()
	return errors.Join(err, <-ended)
}

func (s starts) note(args []byte) {
	now := time.Now()
	if number, err := numberOf(args); err == nil {
		s <- start{number, now}
	}
}

// collect waits until the calls with the numbers below n have started, and says when.
func (s starts) collect(ctx context.Context, n int) ([]time.Time, error) {
	at := make([]time.Time, n)
	for left := n; left > 0; {
		select {
		case began := <-s:
			if at[began.number].IsZero() {
				at[began.number] = began.at
				left--
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d calls have not started: %w", left, n, context.Cause(ctx))
		}
	}
	return at, nil
}
