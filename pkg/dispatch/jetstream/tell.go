package jetstream

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
)

// tell sends messages that the server does not answer. It returns nil when the server has
// heard them: the server answers a ping in the order of arrival. Without a connection
// tell does not send. The client would keep the messages and send them on the next
// connection. The caller would then wrongly believe that the server had heard them.
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
