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

// insistFor is how long insist and browsers try again while a stream has no leader.
const insistFor = 10 * time.Second

// insist prepares the streams. While no server answers for them, it tries again until ctx
// ends.
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

// unanswered reports whether an answer may come soon.
func unanswered(err error) bool {
	var refusal *natsjs.APIError
	if errors.As(err, &refusal) {
		return leaderless(refusal) && !full(refusal)
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout)
}
