package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// A place is a namespace of its own, with fresh streams, and a connection. Both
// sides are measured in one: the floor writes to streams that the queue has
// made, so their settings are the same.
type place struct {
	namespace string
	nc        *nats.Conn
	js        natsjs.JetStream
	queue     *dispatch.Queue
}

var quiet = slog.New(slog.DiscardHandler)

func (b *bench) open(ctx context.Context) (*place, error) {
	b.places++
	return b.connect(ctx, fmt.Sprintf("bench%d", b.places))
}

func (b *bench) connect(ctx context.Context, namespace string) (*place, error) {
	nc, err := nats.Connect(b.server.url)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	b.server.version = nc.ConnectedServerVersion()
	p := &place{namespace: namespace, nc: nc}
	if p.js, err = natsjs.New(nc, natsjs.WithPublishAsyncMaxPending(window)); err != nil {
		nc.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	if p.queue, err = jetstream.Open(ctx, nc, jetstream.Config{Namespace: namespace, Logger: quiet}); err != nil {
		nc.Close()
		return nil, err
	}
	return p, nil
}

// close removes the streams, so that all sides meet the same server.
func (p *place) close(ctx context.Context) {
	defer p.nc.Close()
	for name := range p.js.StreamNames(ctx).Name() {
		if strings.HasPrefix(strings.TrimPrefix(name, "KV_"), strings.ToUpper(p.namespace)+"_") {
			_ = p.js.DeleteStream(ctx, name) // one that stays is only in the way
		}
	}
}

func (p *place) queueStream() string  { return strings.ToUpper(p.namespace) + "_QUEUE" }
func (p *place) recordStream() string { return "KV_" + strings.ToUpper(p.namespace) + "_STATE" }

func (p *place) callSubject(id deferred.ID) string {
	return p.namespace + ".q." + deferred.DefaultQueue + "." + callName + "." + string(id)
}

func (p *place) recordSubject(id string) string {
	return "$KV." + strings.ToUpper(p.namespace) + "_STATE." + id
}

// holds waits until a stream has so many messages: a rate counts only for work
// that was done.
func (p *place) holds(ctx context.Context, stream string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	s, err := p.js.Stream(ctx, stream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", stream, err)
	}
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		info, err := s.Info(ctx)
		if err != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
		if info.State.Msgs == uint64(n) { //nolint:gosec // not negative
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("stream %s has %d messages where %d were to be", stream, info.State.Msgs, n)
		}
	}
}
