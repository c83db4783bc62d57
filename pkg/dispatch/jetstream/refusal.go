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

// A server does not answer a request that it does not permit. It sends an error to the
// whole connection. Refusals passes that error to the functions that asked for it.
type refusals struct {
	mu    sync.Mutex
	last  error // the latest error that was passed on
	count int
	heeds map[int]func(*driver.PermissionError) (answered bool)
}

// heard has the refusals of each connection, so that they take its error handler only
// once.
var heard = struct {
	sync.Mutex
	on map[*nats.Conn]*refusals
}{on: map[*nats.Conn]*refusals{}}

// refusalsOf returns the refusals of a connection. It replaces the error handler of the
// connection, and calls the former one too.
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

// refused turns an error of the server into a PermissionError; nil if it is another
// error.
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

// tell passes an error on, and reports whether a function expected it as its answer.
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

// heed calls f with every refusal, until stop.
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

// bound returns a context that ends when the server refuses something that concerns the
// work under the context. The refusal is its cause.
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

// refusal is the refusal that ended the context of bound, if there is one; otherwise err.
func refusal(ctx context.Context, err error) error {
	var e *driver.PermissionError
	if err != nil && errors.As(context.Cause(ctx), &e) {
		return e
	}
	return err
}

// catchUp returns when all earlier refusals of the server have been passed on. The client
// reports them on a goroutine of its own.
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

// has reports whether the subject of a JetStream request contains the part as whole
// tokens. The prefix of another account may stand before the part.
func has(subject, part string) bool {
	_, rest, found := strings.Cut(subject, part)
	return found && (rest == "" || rest[0] == '.')
}
