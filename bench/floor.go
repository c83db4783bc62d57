package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// consumer makes what a lane has, with the same settings.
func (p *place) consumer(ctx context.Context) (natsjs.Consumer, error) {
	return p.js.CreateConsumer(ctx, p.queueStream(), natsjs.ConsumerConfig{
		Durable: "floor", FilterSubject: p.callSubject(">"), AckPolicy: natsjs.AckExplicitPolicy,
		AckWait: 4 * time.Second, MaxDeliver: -1, MaxAckPending: -1,
	})
}

// A flow is the floor at work: each step for a whole batch, all its messages on
// their way at once, and the next step when all have been answered.
type flow struct {
	*place
	claim, commit []byte
}

func (p *place) flow() (*flow, error) {
	claim, commit, err := recordPair()
	return &flow{place: p, claim: claim, commit: commit}, err
}

// floorDrain claims, commits and acknowledges n calls, batch by batch.
func (p *place) floorDrain(ctx context.Context, batch, n int) error {
	consumer, err := p.consumer(ctx)
	if err != nil {
		return err
	}
	f, err := p.flow()
	if err != nil {
		return err
	}
	for n > 0 {
		fetched, err := consumer.Fetch(min(batch, n), natsjs.FetchMaxWait(5*time.Second))
		if err != nil {
			return err
		}
		var messages []natsjs.Msg
		for m := range fetched.Messages() {
			messages = append(messages, m)
		}
		if len(messages) == 0 {
			return fmt.Errorf("%d calls did not come: %w", n, fetched.Error())
		}
		if err := f.perform(ctx, messages); err != nil {
			return err
		}
		n -= len(messages)
	}
	return p.nc.Flush()
}

func (f *flow) perform(ctx context.Context, messages []natsjs.Msg) error {
	revisions, err := f.write(ctx, messages, f.claim, make([]uint64, len(messages)))
	if err != nil {
		return err
	}
	if _, err := f.write(ctx, messages, f.commit, revisions, natsjs.WithMsgTTL(time.Hour)); err != nil {
		return err
	}
	for _, m := range messages {
		if err := m.Ack(); err != nil {
			return err
		}
	}
	return nil
}

// write writes a record for each message, if the one that stands there is of
// the expected revision.
func (f *flow) write(ctx context.Context, messages []natsjs.Msg, record []byte, expect []uint64, opts ...natsjs.PublishOpt) ([]uint64, error) {
	acks := make([]natsjs.PubAckFuture, len(messages))
	for i, m := range messages {
		id := m.Subject()[strings.LastIndexByte(m.Subject(), '.')+1:]
		var err error
		acks[i], err = f.js.PublishMsgAsync(&nats.Msg{Subject: f.recordSubject(id), Data: record},
			append([]natsjs.PublishOpt{natsjs.WithExpectLastSequencePerSubject(expect[i])}, opts...)...)
		if err != nil {
			return nil, err
		}
	}
	return answers(ctx, acks)
}

// floorServe performs calls one at a time, until ctx ends. With claims it
// writes what a tracked call does; without, it only acknowledges.
func (p *place) floorServe(ctx context.Context, claims bool, handle func(args []byte)) error {
	consumer, err := p.consumer(ctx)
	if err != nil {
		return err
	}
	f, err := p.flow()
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		fetched, err := consumer.Fetch(1, natsjs.FetchContext(ctx))
		if err != nil {
			return err
		}
		for m := range fetched.Messages() {
			if err := f.serve(m, claims, handle); err != nil {
				return err
			}
		}
	}
	return nil
}

// serve finishes a call even when the serving ends meanwhile.
func (f *flow) serve(m natsjs.Msg, claims bool, handle func(args []byte)) error {
	if !claims {
		handle(m.Data())
		return m.Ack()
	}
	ctx, one := context.Background(), []natsjs.Msg{m}
	revisions, err := f.write(ctx, one, f.claim, []uint64{0})
	if err != nil {
		return err
	}
	handle(m.Data())
	if _, err := f.write(ctx, one, f.commit, revisions, natsjs.WithMsgTTL(time.Hour)); err != nil {
		return err
	}
	return m.Ack()
}
