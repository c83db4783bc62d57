package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"zasync/pkg/dispatch/driver"
)

var errClosed = errors.New("dispatch/memory: the subscription is closed")

// A subscription takes messages out of their lanes when Next is called, and not
// before: nothing has to go back when it closes.
type subscription struct {
	broker *Broker
	wake   chan struct{} // has one signal, which says that there may be something to take

	// The broker's lock guards the rest.
	wants  []want // in the order in which they were first wanted
	turn   int    // the index in wants that is served next
	held   map[driver.Route]int
	closed bool
}

type want struct {
	lane driver.Lane
	n    int
}

// Subscribe implements [dispatch.Broker].
func (b *Broker) Subscribe(ctx context.Context) (driver.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dispatch/memory: subscribe: %w", err)
	}
	return &subscription{broker: b, wake: make(chan struct{}, 1), held: make(map[driver.Route]int)}, nil
}

func (s *subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Want implements [dispatch.Subscription].
func (s *subscription) Want(lane driver.Lane, n int) {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	if s.closed {
		return
	}
	i := slices.IndexFunc(s.wants, func(w want) bool { return w.lane == lane })
	if i < 0 {
		i = len(s.wants)
		s.wants = append(s.wants, want{lane: lane})
		l := s.broker.lane(lane)
		l.wanted = append(l.wanted, s)
	}
	s.wants[i].n = n
	s.signal()
}

// Release implements [dispatch.Subscription].
func (s *subscription) Release(lane driver.Lane, n int) {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	s.held[lane.Route] -= min(n, s.held[lane.Route])
	s.signal()
}

// Next implements [dispatch.Subscription].
func (s *subscription) Next(ctx context.Context) (driver.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return driver.Delivery{}, fmt.Errorf("dispatch/memory: next: %w", err)
		}
		d, err := s.take()
		if err != nil || d.Handle != "" {
			s.signal() // others may wait in Next too
			return d, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
		}
	}
}

// take gives a message of the first lane that may have one, beginning behind the
// lane that was served last; a delivery without a handle if there is none.
func (s *subscription) take() (driver.Delivery, error) {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	if s.closed {
		return driver.Delivery{}, errClosed
	}
	for i := range s.wants {
		at := (s.turn + i) % len(s.wants)
		w := s.wants[at]
		if s.held[w.lane.Route] >= w.n {
			continue
		}
		lane := s.broker.lane(w.lane)
		if m := lane.take(); m != nil {
			s.turn = at + 1
			s.held[w.lane.Route]++
			return s.broker.handOut(m, lane.waiting), nil
		}
	}
	return driver.Delivery{}, nil
}

// Health implements [dispatch.Subscription]: nothing can be missing.
func (s *subscription) Health() error { return nil }

// Close implements [dispatch.Subscription].
func (s *subscription) Close() error {
	s.broker.mu.Lock()
	defer s.broker.mu.Unlock()
	s.closed = true
	for _, w := range s.wants {
		l := s.broker.lane(w.lane)
		l.wanted = slices.DeleteFunc(l.wanted, func(o *subscription) bool { return o == s })
	}
	s.wants = nil
	s.signal()
	return nil
}
