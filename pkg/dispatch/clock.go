package dispatch

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/dispatch/driver"
)

// clock tells the server's time, never ahead of it: the offset is the smallest
// difference seen between receiving a delivery and the server's stamp on it,
// which is the skew of the two clocks plus a latency above zero. It counts on
// the monotonic clock, so a step of this machine's time changes nothing.
type clock struct {
	start  time.Time
	offset atomic.Int64 // nanoseconds; MaxInt64 until something was received

	mu      sync.Mutex
	fresh   bool // the present window has a sample that is known to be fresh
	began   time.Time
	asked   time.Time // when it was asked for by who had no sample
	present int64     // the smallest difference of the present window, and of the one before it
	before  int64
}

func newClock() *clock {
	now := time.Now()
	c := &clock{start: now, began: now, present: math.MaxInt64, before: math.MaxInt64}
	c.offset.Store(math.MaxInt64)
	return c
}

// local is this machine's time as it would be had nobody set it since the start.
func (c *clock) local(t time.Time) time.Time { return c.start.Round(0).Add(t.Sub(c.start)) }

// window is how long a difference counts, at least. A stamp that was wrong, and
// the drift of the clocks, are forgotten after two of them.
const window = time.Minute

// observe learns from a delivery. Its stamp may be as old as the backlog, so it
// is only ever too large, and never the one that a window rests on.
func (c *clock) observe(d *driver.Delivery) { c.sample(d.Got, d.Time, false) }

// sample learns from a stamp; fresh says that it is no older than a round trip.
func (c *clock) sample(got, stamp time.Time, fresh bool) {
	diff := int64(c.local(got).Sub(stamp))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh && got.Sub(c.began) > window {
		c.before, c.present, c.fresh, c.began = c.present, math.MaxInt64, false, got
	}
	c.present, c.fresh = min(c.present, diff), c.fresh || fresh
	c.offset.Store(min(c.present, c.before))
}

// unknown reports whether the time is to be asked for: nothing has told it for a while,
// and it has not been asked for in vain just now.
func (c *clock) unknown(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fresh && now.Sub(c.began) <= window || now.Sub(c.asked) <= window {
		return false
	}
	c.asked = now
	return true
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
