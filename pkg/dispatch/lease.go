package dispatch

import (
	"errors"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"
)

// errLapsed: the lease of a delivery had a gap. Another worker may have the message,
// or may have finished its call, whose record may be forgotten by now. So this worker
// does nothing more about it, and says nothing to the broker.
var errLapsed = errors.New("dispatch: the lease had a gap")

// leases are the deliveries that this worker holds, and since when each is known
// to be its own.
type leases struct {
	// most is the longest time between two renewals. It is less than the lease, whose
	// time runs from when the broker hears of one.
	most time.Duration

	mu     sync.Mutex
	held   map[string]*lease // by handle
	ticked time.Time         // when the last pulse was; zero before the first
	woke   time.Time         // when this process was last found to have stood still
}

// A lease is that of one delivery.
type lease struct {
	driver.Delivery
	good   time.Time // when it was last renewed, or began
	lapsed bool      // it had a gap
	proven bool      // its attempt was found in force after a gap
}

func newLeases(d time.Duration) leases { return leases{most: d * 3 / 4, held: map[string]*lease{}} }

func (l *leases) add(d driver.Delivery) {
	l.mu.Lock()
	l.held[d.Handle] = &lease{Delivery: d, good: d.Got}
	l.mu.Unlock()
}

func (l *leases) remove(d driver.Delivery) {
	l.mu.Lock()
	delete(l.held, d.Handle)
	l.mu.Unlock()
}

// kept reports whether the lease of a delivery has had no gap since it came. What
// was read from a socket right after this process had stood still may have lain there,
// unless an attempt of it is in force.
func (l *leases) kept(d *driver.Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[d.Handle]
	now := time.Now()
	return h != nil && !h.lapsed && !stoodStill(h.good, now, l.most) &&
		(l.ticked.IsZero() || !stoodStill(l.ticked, now, l.most)) &&
		(h.proven || l.woke.IsZero() || d.Got.Sub(l.woke) > l.most/3)
}

// unbroken is errLapsed if the lease of what a worker is about to replace had a gap.
func (f *feed) unbroken(h *holding) error {
	if !f.leases.kept(&h.delivery) {
		return errLapsed
	}
	return nil
}

// pulse is called often, by a loop that waits for nothing else: so a gap between two
// calls is one of this process, and not of the connection.
func (l *leases) pulse(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ticked.IsZero() && stoodStill(l.ticked, now, l.most) {
		l.woke = now
	}
	l.ticked = now
}

// due are the deliveries to be renewed. One whose lease had a gap is not, until its
// attempt is known to be in force: see [leases.again].
func (l *leases) due(now time.Time) (due []driver.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.held {
		if !h.lapse(now, l.most) {
			due = append(due, h.Delivery)
		}
	}
	return due
}

// renewed notes that the broker has heard the word about deliveries, which was given
// at a time. It may have heard it only now, when the lease was over.
func (l *leases) renewed(deliveries []driver.Delivery, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for i := range deliveries {
		if h := l.held[deliveries[i].Handle]; h != nil && !h.lapse(now, l.most) && at.After(h.good) {
			h.good = at
		}
	}
}

// lapse reports whether there was a gap until now.
func (h *lease) lapse(now time.Time, most time.Duration) bool {
	h.lapsed = h.lapsed || stoodStill(h.good, now, most)
	return h.lapsed
}

// again has the lease of an attempt that is in force renewed again.
func (l *leases) again(d *driver.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[d.Handle]; h != nil {
		h.good, h.lapsed, h.proven = time.Now(), false, true
	}
}

// hasLapsed: the lease of what is held had a gap.
func (l *leases) hasLapsed(d *driver.Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[d.Handle]
	return h != nil && h.lapsed
}

// stoodStill: between two moments lies more than so long, by the monotonic clock or
// by the wall clock, which alone counts the sleep of a machine.
func stoodStill(last, now time.Time, most time.Duration) bool {
	return now.Sub(last) > most || now.Round(0).Sub(last.Round(0)) > most
}
