package jetstream

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/complaints"

	"github.com/nats-io/nats.go"
)

const (
	sweepTime  = time.Second            // how often lost pull requests are looked for
	mendPause  = 250 * time.Millisecond // between attempts at a lane's consumer, doubling
	mendLimit  = 5 * time.Second        // up to that
	mendSlowly = 30 * time.Second       // where a person has to do something
	openLimit  = 5 * time.Second
	openAtOnce = 8
)

// keep looks after what deliveries do not: lanes without a consumer, requests
// that were lost, and the connection. Nothing on the way of a message waits for it.
func (s *subscription) keep(ctx context.Context) {
	changed := s.nc.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	defer s.nc.RemoveStatusListener(changed)
	sweep := time.NewTicker(sweepTime)
	defer sweep.Stop()
	places := make(chan struct{}, openAtOnce)
	epoch := s.connection(s.nc.Stats().Reconnects)
	for {
		missing := s.broker.exchange.lookout.change()
		s.heed()
		select {
		case <-ctx.Done():
			return
		case <-missing:
		case <-changed: // a word may be missing from here, so it is only a hint
			epoch = s.connection(epoch)
		case now := <-sweep.C:
			epoch = s.connection(epoch)
			s.sweep(now)
			s.broker.exchange.lookout.round()
		case <-s.absent:
			for _, l := range s.toMend() {
				go s.open(ctx, l, places)
			}
		}
	}
}

// connection looks at the connection. When it is another one than before, all
// that was asked is forgotten, and asked anew. The end of the connection is the
// end of the supply.
func (s *subscription) connection(epoch uint64) uint64 {
	present := s.nc.Stats().Reconnects
	online := s.nc.IsConnected()
	if s.nc.IsClosed() {
		_ = s.Close() // of a connection that is closed
		return present
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if online && (!s.online || epoch != present) {
		s.online = true
		s.forget(func(*lane) bool { return true }, backlogged)
	}
	s.online = online
	return present
}

// sweep forgets requests whose answer is overdue. Their lanes count as empty: a
// consumer that is paused does not answer a draw.
func (s *subscription) sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(func(l *lane) bool { return l.pull.lost(now) }, empty)
}

func (s *subscription) forget(which func(*lane) bool, then phase) {
	for _, l := range s.lanes {
		if l.phase == asked && which(l) {
			l.over()
			l.group.queue(l, then)
		}
	}
	for _, g := range s.groups {
		s.ask(g)
	}
}

func (s *subscription) toMend() []*lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	lanes := s.mend
	s.mend = nil
	return lanes
}

// open makes the lane's consumer, and tries until it is there, or the lane is
// wanted no longer.
func (s *subscription) open(ctx context.Context, l *lane, places chan struct{}) {
	if s.lately(l) && !pause(ctx, mendPause) {
		return // it was there a moment ago, so making it is no cure by itself
	}
	for wait := mendPause; ; wait = min(2*wait, mendLimit) {
		changed := s.broker.exchange.lookout.change()
		places <- struct{}{}
		err := s.openOnce(ctx, l)
		<-places
		if s.opened(l, err) {
			s.broker.wrong.Over(s.inbox+durable(l.Lane), unserved)
			return
		}
		s.complain(l, err)
		if personal(err) {
			wait = mendSlowly
		}
		if !pauseUntil(ctx, wait, changed) {
			return
		}
	}
}

// heed asks for nothing while a stream is missing that a person must see to: what is
// claimed could not be finished.
func (s *subscription) heed() {
	halted := s.Health() != nil
	s.mu.Lock()
	defer s.mu.Unlock()
	if halted == s.halted {
		return
	}
	s.halted = halted
	if halted {
		s.giveAllBack()
		return
	}
	s.forget(func(*lane) bool { return true }, backlogged)
}

const unserved = "lane cannot be served"

// complain says what keeps a lane from being served. That a stream is missing is said already.
func (s *subscription) complain(l *lane, err error) {
	if errors.Is(err, driver.ErrMissing) {
		return
	}
	c := complaints.Complaint{
		Level: slog.LevelWarn, Says: unserved, Over: "all lanes are served again", Err: err, Of: []any{"queue", l.Queue, "name", l.Name},
	}
	var setting *SettingError
	var limit *LaneLimitError
	switch {
	case errors.As(err, &setting):
		c.Cause = setting.Setting
	case errors.As(err, &limit):
		c.Cause = limit.Stream
	}
	if personal(err) {
		c.Level = slog.LevelError
	}
	s.broker.wrong.Say(s.inbox+durable(l.Lane), c)
}

// personal: the error stays until a person does something about it.
func personal(err error) bool {
	var setting *SettingError
	var limit *LaneLimitError
	return errors.As(err, &setting) || errors.As(err, &limit) || errors.Is(err, driver.ErrNotPermitted) || errors.Is(err, driver.ErrMissing)
}

func (s *subscription) openOnce(ctx context.Context, l *lane) error {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	if err := s.broker.exchange.connected(ctx); err != nil {
		return err
	}
	return s.broker.exchange.lookout.explain(s.broker.stream(l.Route), s.broker.open(ctx, l.Lane))
}

// pauseUntil is a pause that something may end before its time.
func pauseUntil(ctx context.Context, d time.Duration, something <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-something:
	case <-ctx.Done():
		return false
	}
	return true
}

func (s *subscription) lately(l *lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(l.opened) < time.Second
}

// opened takes note of an attempt, and reports whether no other is needed.
func (s *subscription) opened(l *lane, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return true
	case err == nil:
		l.opened = time.Now()
		l.group.queue(l, backlogged)
		s.ask(l.group)
		return true
	case l.want == 0:
		l.phase = unwanted
		l.opened = time.Time{} // to be looked at anew
		return true
	}
	return false
}
