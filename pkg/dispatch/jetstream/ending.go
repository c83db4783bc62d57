package jetstream

import (
	"errors"
	"fmt"
	"sync"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// An ending is when an exchange is closed for good: because its queue is, or the
// connection. Whatever waits for the server ends with it.
type ending struct {
	come chan struct{} // closed when it has

	mu    sync.Mutex
	why   error
	count int
	tasks map[int]func()
}

func newEnding() *ending { return &ending{come: make(chan struct{}), tasks: map[int]func(){}} }

// bring ends everything, once. Later reasons do not count.
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

// cause is why it has come; nil before.
func (e *ending) cause() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.why
}

// then has f called when it comes, or now if it has; not any more after forget.
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

// closedBy is the end of a connection as an error of ours, with its last error. That
// of a missing right is not why it ended.
func closedBy(nc *nats.Conn) error {
	last := nc.LastError()
	if last == nil || errors.Is(last, nats.ErrPermissionViolation) {
		last = nats.ErrConnectionClosed
	}
	return fmt.Errorf("%w: the connection has ended: %w", driver.ErrClosed, last)
}

// ended is why the exchange has ended; nil before. The connection itself tells of its
// end a little earlier than the ending comes.
func (x *exchange) ended() error {
	if x.nc.IsClosed() {
		x.ending.bring(closedBy(x.nc))
	}
	return x.ending.cause()
}

// Close ends the broker and the store that was opened with it, and all their watches
// and subscriptions. The connection stays open. To close it again does nothing.
func (b *Broker) Close() error { return b.exchange.close() }

func (x *exchange) close() error {
	x.ending.bring(driver.ErrClosed)
	err := x.sub.Unsubscribe()
	if err == nil || errors.Is(err, nats.ErrBadSubscription) || errors.Is(err, nats.ErrConnectionClosed) {
		return nil
	}
	return fmt.Errorf("jetstream: close: %w", err)
}
