package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"zasync/pkg/dispatch"

	"github.com/nats-io/nats.go"
)

// retryEvery is the pause between tries to reach a server that is not there yet.
const retryEvery = time.Second

// OpenPatiently is Open, with a connection that stays, for whoever may come before the
// server: it tries until that is there and its streams have a leader, or ctx ends. What
// a person has to see to is an error at once. The listener is told of this outage too.
func (o Options) OpenPatiently(ctx context.Context, name string, log *slog.Logger, l Listener) (*Session, error) {
	missing := &outage{listener: l}
	for {
		s, err := o.open(ctx, name, log, Staying(l)...)
		if err == nil {
			missing.over(true)
			return s, nil
		}
		if ctx.Err() == nil && !o.passes(err) {
			missing.over(false)
			return nil, o.explain(err)
		}
		if ctx.Err() == nil {
			missing.failed(nil, o.explain(err))
		}
		select {
		case <-time.After(retryEvery):
		case <-ctx.Done():
			missing.over(false)
			return nil, ctx.Err()
		}
	}
}

// passes: the server may only not be there yet.
func (o Options) passes(err error) bool {
	var untrusted *tls.CertificateVerificationError
	var dial *net.OpError
	switch {
	case errors.As(err, &untrusted):
		return false
	case errors.Is(err, nats.ErrNoResponders):
		return o.Domain != "" // its link may not be there yet
	}
	return errors.Is(err, nats.ErrNoServers) || errors.Is(err, nats.ErrTimeout) || errors.As(err, &dial) ||
		errors.Is(err, dispatch.ErrUnavailable) || errors.Is(err, dispatch.ErrClosed) || errors.Is(err, context.DeadlineExceeded)
}
