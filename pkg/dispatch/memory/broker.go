package memory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// maxAside bounds what is kept aside; the oldest go first.
const maxAside = 10_000

// What a server takes.
const (
	maxHeaders = 64<<10 - 1
	maxSize    = 1 << 20 // of a message with its headers, or a value
)

// A Broker is a [dispatch.Broker] in memory. [New] makes one.
type Broker struct {
	lease time.Duration

	mu     sync.Mutex
	seq    uint64 // of the latest message
	routes map[driver.Route]*journal[message]
	ids    map[deferred.ID][]*message
	lanes  map[driver.Lane]*lane
}

func newBroker(lease time.Duration) *Broker {
	b := &Broker{
		lease: lease,
		// As on a server, so that the ids it gives are not those of an earlier one. Fake
		// time begins before the least number that a server gives.
		seq:    uint64(max(1<<50, time.Now().UnixMicro())),
		routes: make(map[driver.Route]*journal[message]),
		ids:    make(map[deferred.ID][]*message),
		lanes:  make(map[driver.Lane]*lane),
	}
	for _, r := range []driver.Route{
		driver.Ready, driver.Later, driver.Commands, driver.Delay, driver.Due, driver.Aside,
	} {
		b.routes[r] = new(journal[message])
	}
	return b
}

// Put implements [dispatch.Broker].
func (b *Broker) Put(ctx context.Context, messages []driver.Message) []driver.Stored {
	answers := make([]driver.Stored, len(messages))
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range messages {
		if err := ctx.Err(); err != nil {
			answers[i].Err = fmt.Errorf("dispatch/memory: put: %w", err)
			continue
		}
		answers[i].Seq, answers[i].Err = b.put(&messages[i])
	}
	return answers
}

func (b *Broker) put(p *driver.Message) (uint64, error) {
	if err := b.check(p); err != nil {
		return 0, err
	}
	switch like := b.like(p); {
	case like != nil && p.Unique:
		return 0, driver.ErrExists
	case like != nil && p.Route == driver.Delay:
		b.remove(like)
	}
	return b.store(*p).seq, nil
}

func (b *Broker) check(p *driver.Message) error {
	switch {
	case b.routes[p.Route] == nil || p.Route == driver.Due:
		return fmt.Errorf("dispatch/memory: put: nothing is put on route %q", p.Route)
	case p.ID == "" && (p.Route == driver.Delay || p.Route == driver.Commands):
		return fmt.Errorf("dispatch/memory: put: a message on route %q needs an id", p.Route)
	case p.Route == driver.Delay && p.At.UTC().Year() > 2200:
		return fmt.Errorf("dispatch/memory: put: no schedule can be made for the year %d", p.At.UTC().Year())
	}
	headers := 0
	for key, value := range p.Header {
		headers += len(key) + len(value) + len(": \r\n")
	}
	if headers > maxHeaders || headers+len(p.Body) > maxSize {
		return fmt.Errorf("dispatch/memory: put: %w", driver.ErrTooLarge)
	}
	return nil
}

// like finds a message of the same subject.
func (b *Broker) like(p *driver.Message) *message {
	for _, m := range b.ids[p.ID] {
		if m.like(p) {
			return m
		}
	}
	return nil
}

// store adds a message and lets it wait, for its time or for who wants it.
func (b *Broker) store(p driver.Message) *message {
	b.seq++
	m := newMessage(p, b.seq)
	route := b.routes[m.Route]
	route.add(m.seq, m)
	b.ids[m.ID] = append(b.ids[m.ID], m)
	switch m.Route {
	case driver.Delay:
		b.sleep(m, scheduled, m.At)
	case driver.Aside:
		if route.len() > maxAside {
			b.remove(route.first())
		}
	default:
		b.offer(m)
	}
	return m
}

// remove takes a message away wherever it is. A queue that it waits in passes
// over it.
func (b *Broker) remove(m *message) {
	if m.timer != nil {
		m.timer.Stop()
	}
	if m.state == waiting {
		b.lane(m.lane()).waiting--
	}
	m.state = gone
	b.routes[m.Route].strike(m.seq)
	others := slices.DeleteFunc(b.ids[m.ID], func(o *message) bool { return o == m })
	if len(others) == 0 {
		delete(b.ids, m.ID)
		return
	}
	b.ids[m.ID] = others
}

// Remove implements [dispatch.Broker].
func (b *Broker) Remove(ctx context.Context, id deferred.ID) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("dispatch/memory: remove: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.like(&driver.Message{Route: driver.Delay, ID: id}); m != nil {
		b.remove(m)
	}
	return nil
}

// Settle implements [dispatch.Broker]. As on a server, a settlement is about the
// message, not about the delivery: a late one counts, whoever holds it now.
func (b *Broker) Settle(ctx context.Context, settlements []driver.Settlement) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("dispatch/memory: settle: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for i := range settlements {
		s := &settlements[i]
		if s.Handle == "" {
			errs = append(errs, fmt.Errorf("dispatch/memory: settle %q: it was not handed out", s.ID))
			continue
		}
		if route := b.routes[s.Route]; route != nil {
			b.settle(route.at(s.Seq), s)
		}
	}
	return errors.Join(errs...)
}

func (b *Broker) settle(m *message, s *driver.Settlement) {
	switch {
	case m == nil:
	case s.Verdict == driver.Done:
		b.remove(m)
	case m.state == waiting: // it has been taken away already
	case s.Verdict == driver.Extend && m.state == held:
		m.until = time.Now().Add(b.lease)
	case s.Verdict == driver.GiveBack && s.After > 0:
		b.sleep(m, resting, time.Now().Add(s.After))
	case s.Verdict == driver.GiveBack:
		b.offerAgain(m)
	}
}
