package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// An exchange sends requests in bulk and collects their answers on one inbox. So a
// request needs no goroutine, timer or subscription of its own, as with nats.go's
// publisher or Request. Only a flight of requests needs a timer.
type exchange struct {
	names    names
	nc       *nats.Conn
	outbox   *outbox
	refusals *refusals
	lookout  *lookout
	ending   *ending
	sub      *nats.Subscription
	prefix   string // reply subjects; the flight, a dot and the place in it follow

	mu      sync.Mutex
	deaf    error  // why no answer can come: the server refused the subscription of the inbox
	epoch   uint64 // the connection that deaf belongs to
	last    uint64
	flights map[uint64]*flight
}

// An answer is a message or an error. The server may have acted on a request whose error
// is errLost.
type answer struct {
	msg *nats.Msg
	err error
}

const (
	answerLimit = 5 * time.Second        // an answer counts as lost after it
	slowAnswer  = 200 * time.Millisecond // after it, the flight watches the connection
	askAgain    = 100 * time.Millisecond // until a repeat, if no server listened
	askTimes    = 20
	flightSize  = 2048     // requests; a stream takes 100,000 at once, from all its clients
	flightBytes = 16 << 20 // a stream takes 128 MiB
)

var (
	errLost         = errors.New("no answer")
	errDisconnected = errors.New("the connection broke")
	errAway         = fmt.Errorf("for %s", answerLimit)
	errNobody       = fmt.Errorf("%w: nobody listens: the stream or its leader is not there", driver.ErrUnavailable)
)

func newExchange(nc *nats.Conn, n names) (*exchange, error) {
	x := &exchange{names: n, nc: nc, outbox: &outbox{nc: nc}, refusals: refusalsOf(nc), ending: newEnding(), prefix: nc.NewInbox() + ".", flights: map[uint64]*flight{}}
	var err error
	if x.sub, err = nc.Subscribe(x.prefix+"*.*", x.receive); err != nil {
		return nil, fmt.Errorf("jetstream: %w", x.unsent(err))
	}
	x.ending.then(x.refusals.heed(x.refused))
	x.sub.SetClosedHandler(func(string) { x.ending.bring(closedBy(nc)) })
	if nc.IsClosed() { // closed before the handler was set
		x.ending.bring(closedBy(nc))
	}
	// The number of requests bounds the number of answers.
	return x, x.sub.SetPendingLimits(-1, -1)
}

// ask sends the requests and returns their answers in order. It skips nil requests.
func (x *exchange) ask(ctx context.Context, requests []*nats.Msg) []answer {
	answers := make([]answer, len(requests))
	err := x.connected(ctx)
	if err == nil {
		err = x.listens()
	}
	if err != nil {
		for i := range answers {
			answers[i].err = err
		}
		return answers
	}
	for from := 0; from < len(requests); {
		to := from + sizeFlight(requests[from:])
		x.fly(ctx, requests[from:to], answers[from:to])
		from = to
	}
	x.repeat(ctx, requests, answers)
	return answers
}

// one is ask for a single request.
func (x *exchange) one(ctx context.Context, request *nats.Msg) (*nats.Msg, error) {
	a := x.ask(ctx, []*nats.Msg{request})[0]
	return a.msg, a.err
}

// sizeFlight says how many of the requests form one flight.
func sizeFlight(requests []*nats.Msg) int {
	size := 0
	for i, m := range requests {
		if m != nil {
			size += len(m.Data)
		}
		if i == flightSize || i > 0 && size > flightBytes {
			return i
		}
	}
	return len(requests)
}

// repeat sends the requests again that no server listened to. That happens for a moment
// while a server starts or a stream changes its leader, and nothing was stored.
func (x *exchange) repeat(ctx context.Context, requests []*nats.Msg, answers []answer) {
	for range askTimes {
		again := unheard(requests, answers)
		if again == nil || !pause(ctx, askAgain) {
			break
		}
		fresh := make([]answer, len(again))
		x.fly(ctx, again, fresh)
		for i, m := range again {
			if m != nil {
				answers[i] = fresh[i]
			}
		}
	}
	for i, a := range answers {
		if a.msg != nil && status(a.msg) == "503" {
			answers[i] = answer{err: errNobody}
		}
	}
}

// unheard returns the requests that no server listened to; nil if there is none.
func unheard(requests []*nats.Msg, answers []answer) (again []*nats.Msg) {
	for i, a := range answers {
		if a.msg != nil && status(a.msg) == "503" {
			if again == nil {
				again = make([]*nats.Msg, len(requests))
			}
			again[i] = requests[i]
		}
	}
	return again
}

// pause waits, and reports whether it waited to the end.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// status is the status that the server sends in place of a message; "" for a message. A
// stored message may have the same header, but it has a sequence too.
func status(m *nats.Msg) string {
	if len(m.Data) > 0 || len(m.Header) == 0 || stamped(m.Header, headerSequence) != "" {
		return ""
	}
	return m.Header.Get(headerStatus)
}
