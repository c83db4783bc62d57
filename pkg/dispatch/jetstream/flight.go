package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// A flight is a group of requests that are sent together. The exchange alone writes its
// answers until the flight has ended.
type flight struct {
	requests []*nats.Msg
	answers  []answer
	open     int
	done     chan struct{}
}

// fly sends requests together. It returns when all answers have come, or when no more can
// come.
func (x *exchange) fly(ctx context.Context, requests []*nats.Msg, answers []answer) {
	f := &flight{requests: requests, answers: answers, done: make(chan struct{})}
	for _, m := range requests {
		if m != nil {
			f.open++
		}
	}
	if f.open == 0 {
		return
	}
	alone := f.open == 1
	number := x.takeOff(f)
	epoch := x.nc.Stats().Reconnects
	replies := x.prefix + strconv.FormatUint(number, 36) + "."
	for i, m := range requests {
		if m == nil {
			continue
		}
		m.Reply = replies + strconv.FormatUint(uint64(i), 36) //nolint:gosec // an index
		failed := func(err error) { x.land(number, i, answer{err: x.unsent(err)}) }
		if alone {
			x.outbox.post(letter{m, failed})
		} else if err := x.nc.PublishMsg(m); err != nil { // several are a burst already
			failed(err)
		}
	}
	cause := x.wait(ctx, f, epoch)
	x.end(number, cause)
	x.lookOut(requests, answers)
}

// lookOut gives the requests that no server listened to the error that the lookout knows
// for their stream.
func (x *exchange) lookOut(requests []*nats.Msg, answers []answer) {
	for i, a := range answers {
		if a.msg == nil || status(a.msg) != "503" {
			continue
		}
		if err := x.lookout.unheard(requests[i].Subject); err != nil {
			answers[i] = answer{err: err}
		}
	}
}

// wait returns nil when all answers have come, or the reason why no more can come.
func (x *exchange) wait(ctx context.Context, f *flight, epoch uint64) error {
	timer := timers.Get().(*time.Timer)
	timer.Reset(slowAnswer)
	defer func() { timer.Stop(); timers.Put(timer) }()
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-x.ending.come:
		return x.ending.cause()
	case <-timer.C:
	}
	timer.Reset(answerLimit - slowAnswer)
	broken := x.nc.StatusChanged(nats.RECONNECTING, nats.DISCONNECTED)
	defer x.nc.RemoveStatusListener(broken)
	if !x.nc.IsConnected() || x.nc.Stats().Reconnects != epoch {
		return errDisconnected
	}
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-x.ending.come:
		return x.ending.cause()
	case <-broken:
		return errDisconnected
	case <-timer.C:
		return errLost
	}
}

// timers are the pooled timers of flights. A call takes two flights, and a new timer and
// a context with a deadline for each are visible in a profile.
var timers = sync.Pool{New: func() any { return time.NewTimer(time.Hour) }}

func (x *exchange) takeOff(f *flight) (number uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last++
	x.flights[x.last] = f
	return x.last
}

// receive takes an answer. An answer that comes too late belongs to no flight.
func (x *exchange) receive(m *nats.Msg) {
	number, place, _ := strings.Cut(m.Subject[len(x.prefix):], ".")
	n, err := strconv.ParseUint(number, 36, 64)
	i, err2 := strconv.ParseUint(place, 36, 32)
	if err == nil && err2 == nil {
		x.land(n, int(i), answer{msg: m}) //nolint:gosec // 32 bits
	}
}

func (x *exchange) land(number uint64, i int, a answer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.flights[number].land(i, a)
}

func (f *flight) land(i int, a answer) {
	if f == nil || i >= len(f.answers) || f.answers[i] != (answer{}) {
		return
	}
	f.answers[i] = a
	if f.open--; f.open == 0 {
		close(f.done)
	}
}

// end removes the flight from the exchange. The answers that have not come are lost.
func (x *exchange) end(number uint64, cause error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f := x.flights[number]
	delete(x.flights, number)
	for i := range f.answers {
		if cause != nil && f.answers[i] == (answer{}) {
			f.answers[i].err = lost(cause)
		}
	}
}

func lost(cause error) error {
	if errors.Is(cause, errLost) {
		return cause
	}
	return fmt.Errorf("%w: %w", errLost, cause)
}

// refused answers the requests that the server does not permit: all open requests to the
// subject. If the server does not permit the subscription of the inbox, refused answers
// all open requests.
func (x *exchange) refused(e *driver.PermissionError) (answered bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	deaf := e.Operation == driver.Subscribe && e.Subject == x.prefix+"*.*"
	if deaf {
		x.deaf, x.epoch = e, x.nc.Stats().Reconnects
	}
	for _, f := range x.flights {
		for i, m := range f.requests {
			if m != nil && (deaf || e.Operation == driver.Publish && m.Subject == e.Subject) {
				f.land(i, answer{err: e})
			}
		}
	}
	return false
}

// listens reports why no answer can come. Another connection may have the right.
func (x *exchange) listens() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.deaf != nil && x.epoch == x.nc.Stats().Reconnects {
		return x.deaf
	}
	return nil
}
