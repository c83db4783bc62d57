package integration

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"
	"zasync/pkg/workerpool"
)

// The calls of the tests of clusters.
const (
	clusterWork  deferred.Func[int, int]         = "cluster/work"  // returns its number after so many milliseconds
	clusterAdopt deferred.Func[deferred.ID, any] = "cluster/adopt" // hands over to the deferred of the id
	clusterEcho                                  = "cluster/echo"  // returns what it is given
	clusterNever                                 = "cluster/never" // no worker serves it
)

// soakCluster is a worker of a cluster. It is given the servers, its name and its slots.
func soakCluster(ctx context.Context, args []string) error {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	nc, err := nats.Connect(args[0], nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	q, err := jetstream.Open(ctx, nc, jetstream.Config{Replicas: replicas})
	for errors.Is(err, dispatch.ErrUnavailable) && ctx.Err() == nil { // no supervisor starts a worker of the soak again
		q, err = jetstream.Open(ctx, nc, jetstream.Config{Replicas: replicas})
	}
	if err != nil {
		return err
	}
	slots, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var mux workerpool.Mux
	workerpool.Register(&mux, clusterWork, func(ctx context.Context, millis int) (int, error) {
		select {
		case <-time.After(time.Duration(millis) * time.Millisecond):
			return millis, nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	})
	workerpool.Register(&mux, clusterAdopt, func(_ context.Context, inner deferred.ID) (any, error) {
		return nil, deferred.Adopt(q.Open(inner))
	})
	mux.Handle(clusterEcho, func(_ context.Context, in deferred.Content) (deferred.Content, error) { return in, nil })
	return (&workerpool.Pool{Source: q, Mux: &mux, Name: args[1], Slots: slots}).Run(ctx)
}
