package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"zasync/pkg/deferred"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

const callers = 64

func (b *bench) submit(ctx context.Context) error {
	stored := func(ctx context.Context, p *place) error { return p.holds(ctx, p.queueStream(), b.n) }
	err := b.hold(ctx, contest{
		what: fmt.Sprintf("submit, %d callers", callers), n: b.n, bar: atLeast(0.8), check: stored,
		ours:  func(ctx context.Context, p *place) error { return p.submitEach(ctx, b.n) },
		floor: func(ctx context.Context, p *place) error { return p.publishEach(ctx, b.n) },
	})
	if err != nil {
		return err
	}
	return b.hold(ctx, contest{
		what: "submit, bulk", n: b.n, check: stored,
		ours:  func(ctx context.Context, p *place) error { return p.fill(ctx, b.n) },
		floor: func(ctx context.Context, p *place) error { return p.publishBulk(ctx, b.n) },
	})
}

func (p *place) submitEach(ctx context.Context, n int) error {
	return spread(n, func(int) error {
		_, err := deferred.SubmitOne(ctx, p.queue, someCall())
		return err
	})
}

func (p *place) publishEach(ctx context.Context, n int) error {
	return spread(n, func(int) error {
		_, err := p.js.Publish(ctx, p.callSubject(deferred.NewID()), someArgs)
		return err
	})
}

func (p *place) publishBulk(ctx context.Context, n int) error {
	acks := make([]natsjs.PubAckFuture, n)
	for i := range acks {
		var err error
		if acks[i], err = p.js.PublishAsync(p.callSubject(deferred.NewID()), someArgs); err != nil {
			return err
		}
	}
	_, err := answers(ctx, acks)
	return err
}

// spread does something n times, from as many goroutines as there are callers.
func spread(n int, do func(i int) error) error {
	var next atomic.Int64
	var work sync.WaitGroup
	errs := make(chan error, callers)
	for range callers {
		work.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if err := do(i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	work.Wait()
	close(errs)
	return <-errs
}

// answers waits for all acknowledgements, and gives their sequences.
func answers(ctx context.Context, acks []natsjs.PubAckFuture) ([]uint64, error) {
	sequences := make([]uint64, len(acks))
	for i, a := range acks {
		select {
		case ack := <-a.Ok():
			sequences[i] = ack.Sequence
		case err := <-a.Err():
			return nil, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return sequences, nil
}
