package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// insistFor is for how long streams are asked for, and read, that have no leader.
const insistFor = 10 * time.Second

// insist prepares the streams, again while nobody answers for them, until ctx ends.
func (s *site) insist(ctx context.Context) error {
	for began := time.Now(); ; {
		err := s.prepare(ctx)
		if err != nil && s.js.Conn().IsClosed() {
			return closedBy(s.js.Conn())
		}
		if err == nil || !unanswered(err) {
			return err
		}
		_, ends := ctx.Deadline()
		if !ends && time.Since(began) > insistFor || !pause(ctx, askAgain) {
			return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
		}
	}
}

// unanswered: there may be an answer soon.
func unanswered(err error) bool {
	var refusal *natsjs.APIError
	if errors.As(err, &refusal) {
		return leaderless(refusal) && !full(refusal)
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)
}
