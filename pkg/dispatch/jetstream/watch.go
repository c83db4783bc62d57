package jetstream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

const (
	watchBuffer = 64
	flushLimit  = 5 * time.Second
)

// Watch returns the entries that are written to the keys after it returns. It ends when
// ctx ends or the connection or the queue is closed. It listens to the messages that the
// streams publish again, and so costs the server almost nothing. Only records and notes
// can be watched.
func (s *Store) Watch(ctx context.Context, keys []driver.Key) (<-chan driver.Entry, error) {
	if err := s.exchange.ending.cause(); err != nil {
		return nil, fmt.Errorf("jetstream: watch: %w", err)
	}
	w := &watch{names: s.names, entries: make(chan driver.Entry, watchBuffer)}
	w.unheed = s.exchange.refusals.heed(w.refused)
	for _, k := range keys {
		if err := w.add(s.exchange, k); err != nil {
			w.close()
			return nil, err
		}
	}
	if err := s.exchange.flush(ctx); err != nil {
		w.close()
		return nil, fmt.Errorf("jetstream: watch: %w", err)
	}
	s.exchange.refusals.catchUp(ctx, s.exchange.nc)
	if err := w.refusal(); err != nil {
		return nil, fmt.Errorf("jetstream: watch: %w", err)
	}
	forget := s.exchange.ending.then(w.close)
	context.AfterFunc(ctx, func() { forget(); w.close() })
	return w.entries, nil
}

// flush returns when the server has received everything that was sent.
func (x *exchange) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, flushLimit)
	defer cancel()
	return x.unsent(x.nc.FlushWithContext(ctx))
}

type watch struct {
	names
	unheed func()

	mu      sync.Mutex
	subs    []*nats.Subscription
	closed  bool
	fault   error // the server does not permit the subscription
	entries chan driver.Entry
}

// refused ends a watch that the server does not permit. Watch returns the error, or the
// channel is closed and the reader only reads from then on.
func (w *watch) refused(e *driver.PermissionError) (answered bool) {
	w.mu.Lock()
	ours := e.Operation == driver.Subscribe && slices.ContainsFunc(w.subs, func(s *nats.Subscription) bool { return s.Subject == e.Subject })
	if ours {
		w.fault = e
	}
	w.mu.Unlock()
	if ours {
		w.close()
	}
	return false
}

func (w *watch) refusal() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fault
}

func (w *watch) add(x *exchange, k driver.Key) error {
	if k.Space != driver.Records && k.Space != driver.Notes {
		return fmt.Errorf("jetstream: the space %q cannot be watched", k.Space)
	}
	exact := k
	exact.Name = strings.TrimSuffix(k.Name, ".*")
	if err := checkKey(exact); err != nil {
		return err
	}
	base := w.live(k.Space, "")
	w.mu.Lock() // until subs has the subscription, which refused looks for
	defer w.mu.Unlock()
	sub, err := x.nc.Subscribe(base+k.Name, func(m *nats.Msg) {
		w.give(entryOf(driver.Key{Space: k.Space, Name: strings.TrimPrefix(m.Subject, base)}, m))
	})
	if err != nil {
		return fmt.Errorf("jetstream: watch: %w", x.unsent(err))
	}
	w.subs = append(w.subs, sub)
	return nil
}

// give passes an entry on. An entry that the reader does not take in time is lost, as the
// contract of the Store allows. The connection does not wait for a reader.
func (w *watch) give(e driver.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	select {
	case w.entries <- e:
	default:
	}
}

func (w *watch) close() {
	w.unheed()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	for _, sub := range w.subs {
		_ = sub.Unsubscribe() // fails only when the connection is gone
	}
	w.closed = true
	close(w.entries)
}
