package liveness

import (
	"context"
	"math/rand/v2"
	"time"
)

// GrowingDelay is the pause before the next look at a state that has lasted for some
// time: as long as that, between a least and a most.
func GrowingDelay(elapsed, least, most time.Duration) time.Duration {
	return min(max(elapsed, least), most)
}

const (
	firstRetry = time.Second
	lastRetry  = time.Hour
)

// RetryDelay is the default pause before the next attempt of a call: one second after
// the first failure, doubling up to an hour, spread by 10 % to both sides.
func RetryDelay(failures int) time.Duration {
	d := lastRetry
	if failures < 13 {
		d = min(firstRetry<<max(failures-1, 0), lastRetry)
	}
	return d - d/10 + rand.N(d/5)
}

// RedeliveryDelay is the pause before the broker delivers a message again that a worker
// could not use: 50 ms, doubling with each delivery, up to 5 s.
func RedeliveryDelay(deliveries int) time.Duration {
	return min(50*time.Millisecond<<min(max(deliveries-1, 0), 10), 5*time.Second)
}

// Pause waits, or gives the cause why the context ended before.
func Pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// WholeSeconds rounds a duration up to the second, the unit of a store's time to live.
func WholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

// Latest is the later of two times.
func Latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// Earliest is the earlier of two times. The second may be zero, which is no time.
func Earliest(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}
