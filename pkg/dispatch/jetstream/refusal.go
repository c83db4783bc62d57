package jetstream

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// A server does not answer what it refuses for want of a right: it says so beside,
// to the whole connection. Refusals hands that word to whoever asked.
type refusals struct {
	mu    sync.Mutex
	last  error // the latest that was handed on
	count int
	heeds map[int]func(*driver.PermissionError) (answered bool)
}

// heard has the refusals of each connection, so that its error handler is taken once.
var heard = struct {
	sync.Mutex
	on map[*nats.Conn]*refusals
}{on: map[*nats.Conn]*refusals{}}

// refusalsOf gives those of a connection. The handler that the connection has goes
// on to be called.
func refusalsOf(nc *nats.Conn) *refusals {
	heard.Lock()
	defer heard.Unlock()
	for other := range heard.on {
		if other.IsClosed() {
			delete(heard.on, other)
		}
	}
	if r := heard.on[nc]; r != nil {
		return r
	}
	r := &refusals{heeds: map[int]func(*driver.PermissionError) bool{}}
	heard.on[nc] = r
	before := nc.ErrorHandler()
	nc.SetErrorHandler(func(nc *nats.Conn, s *nats.Subscription, err error) {
		if !r.tell(err) && before != nil {
			before(nc, s, err)
		}
	})
	if early := nc.LastError(); errors.Is(early, nats.ErrPermissionViolation) {
		r.mu.Lock()
		r.last = early
		r.mu.Unlock()
	}
	return r
}

var violation = regexp.MustCompile(`(?i)permissions violation for (publish|subscription) to ("(?:[^"\\]|\\.)*")`)

// refused is the word of a server as an error of ours; nil if it is another one.
func refused(err error) *driver.PermissionError {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	found := violation.FindStringSubmatch(err.Error())
	if found == nil {
		return nil
	}
	subject := strings.Trim(found[2], `"`)
	if plain, fault := strconv.Unquote(found[2]); fault == nil {
		subject = plain
	}
	if strings.EqualFold(found[1], "publish") {
		return &driver.PermissionError{Operation: driver.Publish, Subject: subject}
	}
	return &driver.PermissionError{Operation: driver.Subscribe, Subject: subject}
}

// tell hands an error on, and reports whether it was an answer that was expected.
func (r *refusals) tell(err error) (answered bool) {
	e := refused(err)
	if e == nil {
		return false
	}
	r.mu.Lock()
	heeds := make([]func(*driver.PermissionError) bool, 0, len(r.heeds))
	for _, h := range r.heeds {
		heeds = append(heeds, h)
	}
	r.mu.Unlock()
	for _, h := range heeds {
		answered = h(e) || answered
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = err
	return answered
}

// heed has f told of every refusal, until stop.
func (r *refusals) heed(f func(*driver.PermissionError) (answered bool)) (stop func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	n := r.count
	r.heeds[n] = f
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.heeds, n)
	}
}

// bound gives a context that ends when something is refused that concerns what is
// done under it; the refusal is its cause.
func (r *refusals) bound(ctx context.Context, concerns func(*driver.PermissionError) bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := r.heed(func(e *driver.PermissionError) bool {
		if concerns(e) {
			cancel(e)
		}
		return false
	})
	return ctx, func() { stop(); cancel(nil) }
}

// refusal is why the context of bound ended, if that is why; else err.
func refusal(ctx context.Context, err error) error {
	var e *driver.PermissionError
	if err != nil && errors.As(context.Cause(ctx), &e) {
		return e
	}
	return err
}

// catchUp returns when all has been handed on that the server had refused before.
// The client tells of it on a goroutine of its own.
func (r *refusals) catchUp(ctx context.Context, nc *nats.Conn) {
	for range 250 {
		last := nc.LastError()
		r.mu.Lock()
		done := errors.Is(r.last, last)
		r.mu.Unlock()
		if done || !errors.Is(last, nats.ErrPermissionViolation) || !pause(ctx, time.Millisecond) {
			return
		}
	}
}

// has reports whether a subject of the server's own interface has the part in it,
// whole: what stands before it may be the prefix of another account.
func has(subject, part string) bool {
	_, rest, found := strings.Cut(subject, part)
	return found && (rest == "" || rest[0] == '.')
}
