package dispatch

import (
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/dispatch/driver"
)

// leased is a lease of four seconds that is looked at as the loops of a worker do.
type leased struct {
	leases
	d driver.Delivery
}

func newLeased() *leased {
	l := &leased{newLeases(4 * time.Second), driver.Delivery{Message: driver.Message{ID: "a"}, Handle: "a", Got: time.Now()}}
	l.add(l.d)
	l.pulse(time.Now())
	return l
}

// lives lets time pass, in which the process lives and renews what is due.
func (l *leased) lives(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second / 4) {
		now := time.Now()
		l.pulse(now)
		l.renewed(l.due(now), now)
	}
}

// stays lets time pass, in which the process lives and nothing is heard of it.
func (l *leased) stays(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second / 4) {
		l.pulse(time.Now())
	}
	l.pulse(time.Now())
}

// wakes has the process stand still until now.
func (l *leased) wakes(after time.Duration) {
	time.Sleep(after)
	l.pulse(time.Now())
	l.due(time.Now())
}

func TestLeases(t *testing.T) {
	for name, c := range map[string]struct {
		passes func(l *leased)
		want   bool
	}{
		"renewed in time, is kept":               {func(l *leased) { l.lives(time.Minute) }, true},
		"not renewed for as long as it is, ends": {func(l *leased) { time.Sleep(4 * time.Second) }, false},
		"of a process that stood still, ends":    {func(l *leased) { l.lives(time.Second); l.wakes(4 * time.Second); l.lives(time.Minute) }, false},
		"of what had lain there when the process woke, ends": {func(l *leased) {
			l.wakes(4 * time.Second)
			l.remove(l.d)
			l.d.Got = time.Now()
			l.add(l.d)
			l.lives(time.Second)
		}, false},
		"of what came long after the process woke, is kept": {func(l *leased) {
			l.wakes(4 * time.Second)
			l.remove(l.d)
			l.lives(2 * time.Second)
			l.d.Got = time.Now()
			l.add(l.d)
			l.lives(time.Second)
		}, true},
		"of an attempt in force, is renewed after its process woke": {func(l *leased) {
			l.wakes(4 * time.Second)
			l.again(&l.d)
			l.lives(time.Minute)
		}, true},
		"of an attempt in force, ends at the next gap": {func(l *leased) {
			l.wakes(4 * time.Second)
			l.again(&l.d)
			l.wakes(4 * time.Second)
			l.lives(time.Minute)
		}, false},
		"of which the broker heard too late, ends": {func(l *leased) {
			l.lives(time.Second)
			l.stays(time.Second)
			given := time.Now()
			l.stays(5 * time.Second / 2)
			l.renewed([]driver.Delivery{l.d}, given)
		}, false},
		"of which the broker heard in time, though late, is kept": {func(l *leased) {
			l.lives(time.Second)
			given := time.Now()
			l.stays(5 * time.Second / 2)
			l.renewed([]driver.Delivery{l.d}, given)
		}, true},
		"that an earlier word renews, counts from the later one": {func(l *leased) {
			l.lives(2 * time.Second)
			l.renewed([]driver.Delivery{l.d}, time.Now().Add(-3500*time.Millisecond))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLeased()
				c.passes(l)
				if got := l.kept(&l.d); got != c.want {
					t.Errorf("kept: %t, want %t", got, c.want)
				}
			})
		})
	}
}
