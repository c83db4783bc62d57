package dispatch

import (
	"errors"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"
)

// errLapsed says that the lease of a delivery had a gap. Another worker may have the
// message, or may have finished its call, and the record may be forgotten by now. So this
// worker does nothing more about the message, and sends the broker no answer.
var errLapsed = errors.New("dispatch: the lease had a gap")

// leases holds the deliveries of this worker, each with the last time when it was known
// to be the worker's own.
type leases struct {
	// most is the longest time between two renewals. It is less than the lease: the
	// broker counts a lease from when it receives a renewal.
	most time.Duration

	mu     sync.Mutex
	held   map[string]*lease // by handle
	ticked time.Time         // when the last pulse was; zero before the first
	woke   time.Time         // when this process was last found to have stood still
}

// A lease is the lease of one delivery.
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

// kept reports whether the lease of a delivery has had no gap since the delivery came. A
// delivery that was read from a socket right after this process stood still may have lain
// there. It does not count as kept unless its attempt was found in force.
func (l *leases) kept(d *driver.Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[d.Handle]
	now := time.Now()
	return h != nil && !h.lapsed && !stoodStill(h.good, now, l.most) &&
		(l.ticked.IsZero() || !stoodStill(l.ticked, now, l.most)) &&
		(h.proven || l.woke.IsZero() || d.Got.Sub(l.woke) > l.most/3)
}

// unbroken is errLapsed if the lease of a delivery had a gap. A worker checks that before
// it replaces the message.
func (f *feed) unbroken(h *holding) error {
	if !f.leases.kept(&h.delivery) {
		return errLapsed
	}
	return nil
}

// pulse is called often, by a loop that waits for nothing else. So a gap between two
// calls is a gap of this process, and not of the connection.
func (l *leases) pulse(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ticked.IsZero() && stoodStill(l.ticked, now, l.most) {
		l.woke = now
	}
	l.ticked = now
}

// due gives the deliveries to renew. It leaves out a delivery whose lease had a gap, until
// the attempt is known to be in force: see [leases.again].
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

// renewed notes that the broker has received the renewal of deliveries, which was sent at
// a time. The broker may have received it only now, after the lease was over.
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

// lapse notes and reports whether the lease had a gap until now.
func (h *lease) lapse(now time.Time, most time.Duration) bool {
	h.lapsed = h.lapsed || stoodStill(h.good, now, most)
	return h.lapsed
}

// again makes the lease of an attempt that is in force due for renewal again, after a gap.
func (l *leases) again(d *driver.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[d.Handle]; h != nil {
		h.good, h.lapsed, h.proven = time.Now(), false, true
	}
}

// hasLapsed reports whether the lease of a held delivery had a gap.
func (l *leases) hasLapsed(d *driver.Delivery) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[d.Handle]
	return h != nil && h.lapsed
}

// stoodStill reports whether more than a duration lies between two moments, by the
// monotonic clock or by the wall clock. Only the wall clock counts the sleep of a machine.
func stoodStill(last, now time.Time, most time.Duration) bool {
	return now.Sub(last) > most || now.Round(0).Sub(last.Round(0)) > most
}
