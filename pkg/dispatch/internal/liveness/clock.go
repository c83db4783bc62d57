package liveness

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/dispatch/driver"
)

// A Clock gives the server's time, never ahead of it. Its offset is the smallest
// difference between the arrival of a delivery and the server's stamp on it: the skew of
// both clocks and a latency above zero. It runs on the monotonic clock, so a step of this
// machine's wall clock changes nothing.
type Clock struct {
	Start  time.Time
	offset atomic.Int64 // nanoseconds; MaxInt64 before the first delivery

	mu      sync.Mutex
	fresh   bool // the present window has a sample that is known to be fresh
	began   time.Time
	asked   time.Time // when a worker without a sample last asked for the time
	present int64     // the smallest difference of the present window, and of the one before it
	before  int64
}

func NewClock() *Clock {
	now := time.Now()
	c := &Clock{Start: now, began: now, present: math.MaxInt64, before: math.MaxInt64}
	c.offset.Store(math.MaxInt64)
	return c
}

// local is this machine's time without the steps of its wall clock since the start.
func (c *Clock) local(t time.Time) time.Time { return c.Start.Round(0).Add(t.Sub(c.Start)) }

// window is the least time for which a difference counts. The clock forgets a wrong stamp
// and the drift of both clocks after two windows.
const window = time.Minute

// Observe learns from a delivery. The stamp may be as old as the backlog, so the
// difference can only be too large. A window never rests on it.
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

// Unknown reports whether a worker should ask for the time: the clock has had no fresh
// sample for a window, and no worker has asked within one.
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
