package dispatch

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// clock tells the server's time, never ahead of it: the offset is the smallest
// difference seen between receiving a delivery and the server's stamp on it,
// which is the skew of the two clocks plus a latency above zero. It counts on
// the monotonic clock, so a step of this machine's time changes nothing.
type clock struct {
	start  time.Time
	offset atomic.Int64 // nanoseconds; MaxInt64 until something was received
}

func newClock() *clock {
	c := &clock{start: time.Now()}
	c.offset.Store(math.MaxInt64)
	return c
}

// local is this machine's time as it would be had nobody set it since the start.
func (c *clock) local(t time.Time) time.Time { return c.start.Round(0).Add(t.Sub(c.start)) }

// observe learns from a delivery.
func (c *clock) observe(d *Delivery) {
	diff := int64(c.local(d.Got).Sub(d.Time))
	for {
		old := c.offset.Load()
		if diff >= old || c.offset.CompareAndSwap(old, diff) {
			return
		}
	}
}

// now is the server's time.
func (c *clock) now() time.Time {
	t := c.local(time.Now())
	if offset := c.offset.Load(); offset != math.MaxInt64 {
		t = t.Add(-time.Duration(offset))
	}
	return t
}

const (
	firstRetry = time.Second
	lastRetry  = time.Hour
)

func retryDelay(failures int) time.Duration {
	d := lastRetry
	if failures < 13 {
		d = min(firstRetry<<max(failures-1, 0), lastRetry)
	}
	return d - d/10 + rand.N(d/5)
}

// growing is the wait before a message that cannot be used now is looked at
// again: 50 ms, doubling with each delivery to 5 s.
func growing(deliveries int) time.Duration {
	return min(50*time.Millisecond<<min(max(deliveries-1, 0), 10), 5*time.Second)
}
