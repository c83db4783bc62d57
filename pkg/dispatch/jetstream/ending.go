package jetstream

import (
	"errors"
	"fmt"
	"sync"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// An ending is the moment when an exchange closes for good, because its queue or its
// connection is closed. Every operation that waits for the server ends with it.
type ending struct {
	come chan struct{} // closed at the ending

	mu    sync.Mutex
	why   error
	count int
	tasks map[int]func()
}

func newEnding() *ending { return &ending{come: make(chan struct{}), tasks: map[int]func(){}} }

// bring ends the exchange, once. It ignores later reasons.
func (e *ending) bring(why error) {
	e.mu.Lock()
	if e.why != nil {
		e.mu.Unlock()
		return
	}
	e.why = why
	tasks := e.tasks
	e.tasks = nil
	close(e.come)
	e.mu.Unlock()
	for _, f := range tasks {
		f()
	}
}

// cause is the reason of the ending; nil before it.
func (e *ending) cause() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.why
}

// then calls f at the ending, or now if the exchange has ended. After forget it does not
// call f any more.
func (e *ending) then(f func()) (forget func()) {
	e.mu.Lock()
	if e.why != nil {
		e.mu.Unlock()
		f()
		return func() {}
	}
	defer e.mu.Unlock()
	e.count++
	n := e.count
	e.tasks[n] = f
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.tasks, n)
	}
}

// closedBy turns the end of a connection into an ErrClosed with the last error of the
// connection. A permission error does not count: it did not end the connection.
func closedBy(nc *nats.Conn) error {
	last := nc.LastError()
	if last == nil || errors.Is(last, nats.ErrPermissionViolation) {
		last = nats.ErrConnectionClosed
	}
	return fmt.Errorf("%w: the connection has ended: %w", driver.ErrClosed, last)
}

// ended is the reason why the exchange has ended; nil before. It asks the connection,
// which knows of its end a little before the ending comes.
func (x *exchange) ended() error {
	if x.nc.IsClosed() {
		x.ending.bring(closedBy(x.nc))
	}
	return x.ending.cause()
}

// Close ends the broker and the store that was opened with it, and all their watches and
// subscriptions. The connection stays open. A second Close does nothing.
func (b *Broker) Close() error { return b.exchange.close() }

func (x *exchange) close() error {
	x.ending.bring(driver.ErrClosed)
	err := x.sub.Unsubscribe()
	if err == nil || errors.Is(err, nats.ErrBadSubscription) || errors.Is(err, nats.ErrConnectionClosed) {
		return nil
	}
	return fmt.Errorf("jetstream: close: %w", err)
}
