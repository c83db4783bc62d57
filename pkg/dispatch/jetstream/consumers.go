package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"zasync/pkg/dispatch/driver"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

const (
	dueLease   = 2 * time.Second    // the longest delay that a dead mover of delayed calls causes
	laneUnused = 7 * 24 * time.Hour // the server deletes the consumer of a lane unused for so long
	maxWaiting = 10_000             // waiting pull requests: one for each idle worker
)

// consumer returns the settings of a lane's consumer. All limits on deliveries are off,
// for two reasons:
//
//   - A message above a limit would stay in the stream for ever, without a further
//     delivery.
//   - The server counts messages that were given back with a delay as pending.
func (s *site) consumer(l driver.Lane) natsjs.ConsumerConfig {
	c := natsjs.ConsumerConfig{
		Durable: durable(l), FilterSubject: s.laneFilter(l),
		DeliverPolicy: natsjs.DeliverAllPolicy, AckPolicy: natsjs.AckExplicitPolicy,
		AckWait: s.config.Lease, MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: maxWaiting,
	}
	switch l.Route {
	case driver.Ready:
		c.InactiveThreshold = laneUnused
	case driver.Due:
		c.AckWait = min(s.config.Lease, dueLease)
	}
	return c
}

// open makes the consumer of a lane, or checks the existing one: another program may have
// made it, or a person may have changed or paused it.
func (s *site) open(ctx context.Context, l driver.Lane) error {
	stream, want := s.stream(l.Route), s.consumer(l)
	ctx, free := s.refusals.bound(ctx, func(e *driver.PermissionError) bool {
		return has(e.Subject, ".CONSUMER.CREATE."+stream+"."+want.Durable) || has(e.Subject, ".CONSUMER.INFO."+stream+"."+want.Durable)
	})
	defer free()
	_, err := s.js.CreateConsumer(ctx, stream, want)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, natsjs.ErrConsumerExists):
		there, err := s.js.Consumer(ctx, stream, want.Durable)
		if err != nil {
			return fmt.Errorf("jetstream: consumer %s of %s: %w", want.Durable, stream, err)
		}
		return checkConsumer(stream, &there.CachedInfo().Config, &want)
	case errors.Is(err, natsjs.ErrMaximumConsumersLimit):
		return &LaneLimitError{Stream: stream, Lane: l}
	}
	return fmt.Errorf("jetstream: consumer %s of %s: %w", want.Durable, stream, refusal(ctx, err))
}

type consumerConfig = natsjs.ConsumerConfig

// checkConsumer returns the first setting of a consumer that breaks a promise. A longer
// lease, a narrower filter (of a fair lane) and a pause are acceptable.
func checkConsumer(stream string, have, want *consumerConfig) error {
	narrower := strings.HasPrefix(have.FilterSubject, strings.TrimSuffix(want.FilterSubject, ">"))
	for _, s := range []struct {
		name, have, want string
		bad              bool
	}{
		{"filter_subject", have.FilterSubject, want.FilterSubject, !narrower || len(have.FilterSubjects) > 0},
		{"deliver_subject", have.DeliverSubject, "none", have.DeliverSubject != ""},
		{"ack_policy", have.AckPolicy.String(), want.AckPolicy.String(), have.AckPolicy != want.AckPolicy},
		{"ack_wait", have.AckWait.String(), want.AckWait.String() + " or more", have.AckWait < want.AckWait},
		{"max_deliver", fmt.Sprint(have.MaxDeliver), "-1", have.MaxDeliver > 0},
		{"max_ack_pending", fmt.Sprint(have.MaxAckPending), "-1", have.MaxAckPending > 0},
		{"backoff", fmt.Sprint(have.BackOff), "none", len(have.BackOff) > 0},
		{"headers_only", fmt.Sprint(have.HeadersOnly), "false", have.HeadersOnly},
		{"max_batch", fmt.Sprint(have.MaxRequestBatch), "none", have.MaxRequestBatch > 0},
		{"max_expires", have.MaxRequestExpires.String(), "none", have.MaxRequestExpires > 0 && have.MaxRequestExpires < standingTime},
		{"priority_policy", fmt.Sprint(have.PriorityPolicy), "none", have.PriorityPolicy != natsjs.PriorityPolicyNone},
	} {
		if s.bad {
			return &SettingError{
				Stream: "consumer " + stream + " > " + want.Durable, Setting: s.name, Have: s.have, Want: s.want,
				Mend: fmt.Sprintf("delete it, no message is lost: nats consumer rm %s %s", stream, want.Durable),
			}
		}
	}
	return nil
}
