package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
)

// tell sends messages that the server does not answer, and returns nil when it has
// heard them: it answers a ping in the order in which things come. Without a
// connection they are not sent. The client would keep them and send them when there is
// one again, and whoever thought that they were heard would be wrong.
func (x *exchange) tell(ctx context.Context, messages []*nats.Msg) error {
	epoch := x.nc.Stats().Reconnects
	if !x.nc.IsConnected() {
		return fmt.Errorf("jetstream: not heard: %w", errDisconnected)
	}
	for _, m := range messages {
		if err := x.nc.PublishMsg(m); err != nil {
			return fmt.Errorf("jetstream: not sent: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	err := x.nc.FlushWithContext(ctx)
	if err == nil && x.nc.Stats().Reconnects != epoch { // another connection answered
		err = errDisconnected
	}
	if err != nil {
		return fmt.Errorf("jetstream: not known to be heard: %w", err)
	}
	return nil
}
