package records

import (
	"context"
	"errors"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

// Put stores a message. It asks again until an answer comes: the same message twice is
// harmless.
func (rs *Records) Put(ctx context.Context, m driver.Message) error {
	return rs.PutAll(ctx, []driver.Message{m})
}

// PutAll stores messages in one request. The first refusal ends it.
func (rs *Records) PutAll(ctx context.Context, messages []driver.Message) error {
	for wait := 20 * time.Millisecond; len(messages) > 0; wait = min(2*wait, time.Second) {
		var unknown []driver.Message
		for i, s := range rs.Broker.Put(ctx, messages) {
			switch {
			case errors.Is(s.Err, driver.ErrUnknown):
				unknown = append(unknown, messages[i])
			case s.Err != nil:
				return s.Err
			}
		}
		if messages = unknown; len(messages) == 0 {
			return nil
		}
		if err := liveness.Pause(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}
