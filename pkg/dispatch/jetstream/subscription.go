package jetstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// subscription is one worker's supply. It is a state machine under one mutex, and these
// events move it:
//
//   - deliveries;
//   - the statuses that the server sends for pull requests (pull.go);
//   - Want, Next and Release;
//   - a keeper that looks after failures (keep.go).
//
// After every event it asks for as many messages as it has credit for.
type subscription struct {
	broker *Broker
	nc     *nats.Conn
	log    *slog.Logger
	sub    *nats.Subscription
	inbox  string // reply subjects; the lane's number, a dot and the pull's number follow
	stop   context.CancelFunc
	ready  chan struct{} // the buffer has a delivery
	absent chan struct{} // the consumer of a lane is missing
	closed chan struct{}

	mu      sync.Mutex
	ended   bool
	online  bool
	halted  bool // a stream is missing that a person must restore
	pulls   uint64
	lanes   []*lane          // by number
	durable map[string]*lane // by consumer
	groups  map[driver.Route]*group
	mend    []*lane // missing lanes whose consumers the keeper does not make yet
	buffer  []driver.Delivery
}

var _ driver.Subscription = (*subscription)(nil)

// ErrClosed is the error of Next after its subscription was closed.
var ErrClosed = errors.New("jetstream: the subscription is closed")

// Subscribe opens a supply of deliveries for one worker. Only the opening depends on the
// context; the supply lasts until it is closed.
func (b *Broker) Subscribe(ctx context.Context) (driver.Subscription, error) {
	if err := b.exchange.ending.cause(); err != nil {
		return nil, fmt.Errorf("jetstream: subscribe: %w", err)
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &subscription{
		broker: b, nc: b.exchange.nc, log: b.log, stop: stop,
		inbox: b.exchange.nc.NewInbox() + ".",
		ready: make(chan struct{}, 1), absent: make(chan struct{}, 1), closed: make(chan struct{}),
		durable: map[string]*lane{}, groups: map[driver.Route]*group{},
	}
	var err error
	if s.sub, err = s.nc.Subscribe(s.inbox+"*.*", s.receive); err != nil {
		stop()
		return nil, fmt.Errorf("jetstream: subscribe: %w", b.exchange.unsent(err))
	}
	if err := s.sub.SetPendingLimits(-1, -1); err != nil { // the credit bounds the deliveries
		stop()
		return nil, fmt.Errorf("jetstream: subscribe: %w", err)
	}
	s.online = s.nc.IsConnected()
	go s.keep(life)
	go s.greet(life)
	forget := b.exchange.ending.then(func() { _ = s.Close() }) // fails only on a closed connection
	context.AfterFunc(life, forget)
	return s, nil
}

// Want lets messages of the lane come while the worker holds fewer than n deliveries of
// its group.
func (s *subscription) Want(l driver.Lane, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	lane := s.lane(l)
	if lane == nil {
		s.log.Error("no such lane", "queue", l.Queue, "name", l.Name, "reason", "its names are not names")
		return
	}
	lane.want = max(0, n)
	if lane.phase == unwanted && lane.want > 0 {
		if lane.opened.IsZero() {
			s.miss(lane)
		} else {
			lane.group.queue(lane, backlogged) // messages may wait there
		}
	}
	s.trim(lane)
	s.ask(lane.group)
}

// lane returns the lane, and makes it if necessary; nil if its queue or name is invalid.
func (s *subscription) lane(l driver.Lane) *lane {
	name := durable(l)
	if there := s.durable[name]; there != nil {
		return there
	}
	if l.Route == driver.Ready && checkCall(l.Queue, l.Name) != nil {
		return nil
	}
	g := s.groups[l.Route]
	if g == nil {
		g = &group{}
		s.groups[l.Route] = g
	}
	fresh := &lane{
		Lane: l, group: g, number: len(s.lanes),
		pulls: s.broker.api("CONSUMER.MSG.NEXT." + s.broker.stream(l.Route) + "." + name),
	}
	g.lanes = append(g.lanes, fresh)
	s.lanes = append(s.lanes, fresh)
	s.durable[name] = fresh
	return fresh
}

// trim gives back the lane's buffered deliveries beyond what the lane wants now, the
// newest first.
func (s *subscription) trim(l *lane) {
	g := l.group
	for i := len(s.buffer) - 1; i >= 0 && g.held+g.buffered > l.want; i-- {
		if s.buffer[i].Lane() == l.Lane {
			s.giveBack(s.buffer[i].Handle)
			s.buffer = append(s.buffer[:i], s.buffer[i+1:]...)
			g.buffered--
		}
	}
}

// Next waits for a delivery.
func (s *subscription) Next(ctx context.Context) (driver.Delivery, error) {
	for {
		if d, ok := s.take(); ok {
			return d, nil
		}
		select {
		case <-s.ready:
		case <-s.closed:
			if why := s.broker.exchange.ended(); why != nil {
				return driver.Delivery{}, fmt.Errorf("%w: %w", ErrClosed, why)
			}
			return driver.Delivery{}, ErrClosed
		case <-ctx.Done():
			return driver.Delivery{}, context.Cause(ctx)
		}
	}
}

func (s *subscription) take() (d driver.Delivery, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.buffer) == 0 {
		return d, false
	}
	d = s.buffer[0]
	s.buffer[0] = driver.Delivery{} // free the memory of its body
	s.buffer = s.buffer[1:]
	if len(s.buffer) > 0 {
		signal(s.ready) // for another caller of Next
	}
	g := s.groups[d.Route]
	g.buffered--
	g.held++
	if g.buffered == 0 {
		s.ask(g)
	}
	return d, true
}

// Release says that the worker does not hold n deliveries of the lane's group any more.
func (s *subscription) Release(l driver.Lane, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[l.Route]; g != nil {
		g.held = max(0, g.held-n)
		s.ask(g)
	}
}

// Close ends the supply. It gives back the deliveries that Next has not returned, and
// those that are still on their way.
func (s *subscription) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	s.ended = true
	close(s.closed)
	s.stop()
	s.giveAllBack()
	if err := s.sub.Drain(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("jetstream: close the subscription: %w", err)
	}
	return nil
}

// Health is the error of a missing stream that a person must restore; nil if there is
// none.
func (s *subscription) Health() error { return s.broker.exchange.lookout.fault() }

// giveAllBack gives back the deliveries that Next has not returned.
func (s *subscription) giveAllBack() {
	for i := range s.buffer {
		s.giveBack(s.buffer[i].Handle)
		s.groups[s.buffer[i].Route].buffered--
	}
	s.buffer = nil
}

// giveBack gives a delivery back at once. If the server does not hear it, the lease runs
// out.
func (s *subscription) giveBack(handle string) {
	if err := s.nc.Publish(handle, wordGiveBack); err != nil {
		s.log.Debug("not given back", "err", err)
	}
}

// signal wakes one goroutine that waits on the channel.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
