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

// subscription is one worker's supply: a state machine under one mutex, moved
// by deliveries, by the server's words about pull requests (pull.go), by Want,
// Next and Release, and by a keeper that looks after what went wrong (keep.go).
// After every move it asks for as much as there is credit for.
type subscription struct {
	broker *Broker
	nc     *nats.Conn
	log    *slog.Logger
	sub    *nats.Subscription
	inbox  string // replies: then the lane's number, a dot, and the pull's
	stop   context.CancelFunc
	ready  chan struct{} // something is in the buffer
	absent chan struct{} // a lane is missing
	closed chan struct{}

	mu      sync.Mutex
	ended   bool
	online  bool
	halted  bool // a stream is missing
	pulls   uint64
	lanes   []*lane          // by number
	durable map[string]*lane // by consumer
	groups  map[driver.Route]*group
	mend    []*lane // missing, and nobody makes them yet
	buffer  []driver.Delivery
}

var _ driver.Subscription = (*subscription)(nil)

// ErrClosed is what Next gives when its subscription has been closed.
var ErrClosed = errors.New("jetstream: the subscription is closed")

// Subscribe opens a supply of deliveries for one worker. The context is for the
// opening alone; the supply lasts until it is closed.
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
	if err := s.sub.SetPendingLimits(-1, -1); err != nil { // credit is the limit
		stop()
		return nil, fmt.Errorf("jetstream: subscribe: %w", err)
	}
	s.online = s.nc.IsConnected()
	go s.keep(life)
	go s.greet(life)
	forget := b.exchange.ending.then(func() { _ = s.Close() }) // which says only that the connection is closed
	context.AfterFunc(life, forget)
	return s, nil
}

// Want lets messages of the lane come while fewer than n of its group are held.
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
			lane.group.queue(lane, backlogged) // which may be so, for all we know
		}
	}
	s.trim(lane)
	s.ask(lane.group)
}

// lane gives the lane, new if need be; nil if its names cannot be ones.
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

// trim gives back what is in the buffer beyond what the lane wants now, the
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
	s.buffer[0] = driver.Delivery{} // let go of its body
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

// Release says that n deliveries of the lane's group are held no longer.
func (s *subscription) Release(l driver.Lane, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[l.Route]; g != nil {
		g.held = max(0, g.held-n)
		s.ask(g)
	}
}

// Close ends the supply and gives back what Next has not given, also what is
// still on its way.
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

// Health is which stream is missing, if one is that a person must see to.
func (s *subscription) Health() error { return s.broker.exchange.lookout.fault() }

// giveAllBack sends back what Next has not given.
func (s *subscription) giveAllBack() {
	for i := range s.buffer {
		s.giveBack(s.buffer[i].Handle)
		s.groups[s.buffer[i].Route].buffered--
	}
	s.buffer = nil
}

// giveBack sends a delivery back at once. If the word is lost, the lease runs out.
func (s *subscription) giveBack(handle string) {
	if err := s.nc.Publish(handle, wordGiveBack); err != nil {
		s.log.Debug("not given back", "err", err)
	}
}

// signal wakes whoever waits on the channel, once.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
