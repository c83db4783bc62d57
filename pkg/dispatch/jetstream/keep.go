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
	sweepTime  = time.Second            // between two searches for lost pull requests
	mendPause  = 250 * time.Millisecond // between attempts at a lane's consumer; it doubles
	mendLimit  = 5 * time.Second        // the longest pause
	mendSlowly = 30 * time.Second       // the pause when a person has to act
	openLimit  = 5 * time.Second
	openAtOnce = 8
)

// keep does the work that no delivery starts: it looks after lanes without a consumer,
// lost requests, and the connection. No message waits for it.
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
		case <-changed: // the client may drop a change, so it is only a hint
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

// connection looks at the connection. On a new connection it forgets all open requests,
// and sends new ones. When the connection has ended, it ends the supply.
func (s *subscription) connection(epoch uint64) uint64 {
	present := s.nc.Stats().Reconnects
	online := s.nc.IsConnected()
	if s.nc.IsClosed() {
		_ = s.Close() // fails only because the connection is closed
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

// sweep forgets requests whose answer is overdue. Their lanes count as empty: a paused
// consumer does not answer a draw.
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

// open makes the lane's consumer. It tries until the consumer is there, or until the
// worker does not want the lane any more.
func (s *subscription) open(ctx context.Context, l *lane, places chan struct{}) {
	if s.lately(l) && !pause(ctx, mendPause) {
		return // the consumer was there a moment ago, so to make it is no cure by itself
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

// heed stops all requests while a stream is missing that a person must restore: a worker
// could not finish the calls that it claimed.
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

// complain logs why a lane cannot be served. The lookout has already logged a missing
// stream.
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

// personal reports whether the error stays until a person acts.
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

// pauseUntil is a pause that ends early when something is closed.
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

// opened notes the result of an attempt, and reports whether open needs no other attempt.
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
		l.opened = time.Time{} // so that Want makes or checks the consumer again
		return true
	}
	return false
}
