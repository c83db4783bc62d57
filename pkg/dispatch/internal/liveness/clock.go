package liveness

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/dispatch/driver"
)

// Clock tells the server's time, never ahead of it: the offset is the smallest
// difference seen between receiving a delivery and the server's stamp on it,
// which is the skew of the two clocks plus a latency above zero. It counts on
// the monotonic clock, so a step of this machine's time changes nothing.
type Clock struct {
	Start  time.Time
	offset atomic.Int64 // nanoseconds; MaxInt64 until something was received

	mu      sync.Mutex
	fresh   bool // the present window has a sample that is known to be fresh
	began   time.Time
	asked   time.Time // when it was asked for by who had no sample
	present int64     // the smallest difference of the present window, and of the one before it
	before  int64
}

func NewClock() *Clock {
	now := time.Now()
	c := &Clock{Start: now, began: now, present: math.MaxInt64, before: math.MaxInt64}
	c.offset.Store(math.MaxInt64)
	return c
}

// local is this machine's time as it would be had nobody set it since the start.
func (c *Clock) local(t time.Time) time.Time { return c.Start.Round(0).Add(t.Sub(c.Start)) }

// window is how long a difference counts, at least. A stamp that was wrong, and
// the drift of the clocks, are forgotten after two of them.
const window = time.Minute

// Observe learns from a delivery. Its stamp may be as old as the backlog, so it
// is only ever too large, and never the one that a window rests on.
func (c *Clock) Observe(d *driver.Delivery) { c.Sample(d.Got, d.Time, false) }

// Sample learns from a stamp; fresh says that it is no older than a round trip.
func (c *Clock) Sample(got, stamp time.Time, fresh bool) {
	diff := int64(c.local(got).Sub(stamp))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh && got.Sub(c.began) > window {
		c.before, c.present, c.fresh, c.began = c.present, math.MaxInt64, false, got
	}
	c.present, c.fresh = min(c.present, diff), c.fresh || fresh
	c.offset.Store(min(c.present, c.before))
}

// Unknown reports whether the time is to be asked for: nothing has told it for a while,
// and it has not been asked for in vain just now.
func (c *Clock) Unknown(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh && now.Sub(c.began) <= window || now.Sub(c.asked) <= window {
		return false
	}
	c.asked = now
	return true
}

// Now is the server's time.
func (c *Clock) Now() time.Time {
	t := c.local(time.Now())
	if offset := c.offset.Load(); offset != math.MaxInt64 {
		t = t.Add(-time.Duration(offset))
	}
	return t
}
