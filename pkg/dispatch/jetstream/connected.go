package jetstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// connected waits for the connection. Without this wait the client would buffer a message
// and send it long after its sender has given up.
func (x *exchange) connected(ctx context.Context) error {
	if err := cmp.Or(x.ending.cause(), context.Cause(ctx)); err != nil {
		return fmt.Errorf("it was not sent: %w", err)
	}
	if x.nc.IsConnected() {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, errAway)
	defer cancel()
	changed := x.nc.StatusChanged(nats.CONNECTED)
	defer x.nc.RemoveStatusListener(changed)
	for !x.nc.IsConnected() {
		select {
		case <-changed:
		case <-x.ending.come:
			return fmt.Errorf("it was not sent: %w", x.ending.cause())
		case <-ctx.Done():
			return fmt.Errorf("it was not sent: %w: no connection to NATS (%w)", driver.ErrUnavailable, context.Cause(ctx))
		}
	}
	return nil
}

// unsent is the error of a message that the connection did not take. A flush reports a
// closed connection when the connection breaks, even if the client is about to reconnect.
func (x *exchange) unsent(err error) error {
	if errors.Is(err, nats.ErrConnectionClosed) && !x.nc.IsClosed() {
		return errDisconnected
	}
	if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, nats.ErrConnectionDraining) {
		return closedBy(x.nc)
	}
	return err
}

// unread is the error of a read without an answer. After a lost answer the caller may
// read again.
func unread(err error) error {
	if errors.Is(err, errLost) {
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	}
	return err
}
