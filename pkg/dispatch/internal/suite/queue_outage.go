package suite

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// TestOutage has what takes longer than real time should: it is for fake time.
func TestOutage(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runWithin(t, time.Hour, []rigCase{
		{"SubmitIsTriedForTenSecondsWhereItsContextHasNoEnd", outageWithoutEnd},
		{"SubmitIsTriedUntilItsContextEnds", outageUntilTheEnd},
		{"CommandIsTriedUntilItsContextEnds", outageOfACommand},
		{"ErrorSaysThatACallMayBeStoredIfOneOfItsTriesMay", outageAfterALostAnswer},
		{"WaitingOutlastsAnOutage", outageOfAWait},
	}, clock, open)
}

// forEver is more requests than any test makes.
const forEver = 1 << 40

func outageWithoutEnd(r *rig) {
	ctx, stop := context.WithCancel(context.WithoutCancel(r.ctx))
	defer stop()
	for _, answer := range []error{driver.ErrUnavailable, driver.ErrUnknown} {
		for name, do := range map[string]func(q *dispatch.Queue) error{
			"submit": func(q *dispatch.Queue) error {
				_, err := deferred.SubmitOne(ctx, q, deferred.Call{Name: "greet"})
				return err
			},
			"resolve": func(q *dispatch.Queue) error {
				call, token := deferred.NewPromise(deferred.NewID(), "promise")
				r.submit(call)
				return deferred.ResolvePromise(ctx, q, token, 1)
			},
		} {
			_, q := r.away(forEver, answer)
			began := time.Now()
			err := do(q)
			if took := time.Since(began); !errors.Is(err, answer) || took < 8*time.Second || took > 12*time.Second {
				r.Errorf("%s, answered with %v: %v after %v", name, answer, err, took)
			}
		}
	}
}

func outageUntilTheEnd(r *rig) {
	ctx, cancel := context.WithTimeout(r.ctx, 10*time.Minute)
	defer cancel()
	a, q := r.away(forEver, driver.ErrUnavailable)
	_, err := deferred.SubmitOne(ctx, q, deferred.Call{Name: "greet"})
	if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrUnknown) || !errors.Is(err, context.DeadlineExceeded) {
		r.Errorf("it ended with %v", err)
	}
	if ctx.Err() == nil || a.asked.Load() < 500 {
		r.Errorf("it ended after %d tries", a.asked.Load())
	}
	if n := r.pending(driver.Ready); n != 0 {
		r.Errorf("%d messages are stored", n)
	}
	a, q = r.away(200, driver.ErrUnavailable) // two minutes and more
	if _, err := deferred.SubmitOne(r.ctx, q, greeting("a")); err != nil {
		r.Errorf("%v after %d tries", err, a.asked.Load())
	}
}

func outageOfACommand(r *rig) {
	r.submit(greeting("a"))
	a, q := r.away(200, driver.ErrUnavailable)
	if err := q.Open("a").Cancel(r.ctx, ""); err != nil {
		r.Errorf("%v after %d tries", err, a.asked.Load())
	}
	r.await("a", deferred.Cancelled)
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
	defer cancel()
	r.submit(greeting("b"))
	_, q = r.away(forEver, driver.ErrUnavailable)
	if err := q.Open("b").Cancel(ctx, ""); !errors.Is(err, driver.ErrUnavailable) || ctx.Err() == nil {
		r.Errorf("it ended with %v", err)
	}
}

// flaky loses the first answer, and is away afterwards.
type flaky struct {
	*away
	puts atomic.Int64
}

func (f *flaky) Put(ctx context.Context, messages []driver.Message) []driver.Stored {
	if f.puts.Add(1) > 1 {
		return f.away.Put(ctx, messages)
	}
	f.Broker.Put(ctx, messages)
	answers := make([]driver.Stored, len(messages))
	for i := range answers {
		answers[i].Err = driver.ErrUnknown
	}
	return answers
}

func outageAfterALostAnswer(r *rig) {
	for name, give := range map[string]func(ctx context.Context, q *dispatch.Queue) error{
		"submit": func(ctx context.Context, q *dispatch.Queue) error {
			_, err := deferred.SubmitOne(ctx, q, deferred.Call{Name: "greet"})
			return err
		},
		"cancel": func(ctx context.Context, q *dispatch.Queue) error { return q.Open("a").Cancel(ctx, "") },
	} {
		r.submit(greeting("a"))
		a, _ := r.away(0, driver.ErrUnavailable)
		f := &flaky{away: a}
		q := r.over(r.pair.Store, f)
		a.left.Store(forEver)
		ctx, cancel := context.WithTimeout(r.ctx, time.Minute)
		err := give(ctx, q)
		cancel()
		if !errors.Is(err, driver.ErrUnknown) || !strings.Contains(err.Error(), "may be stored") {
			r.Errorf("%s: %v", name, err)
		}
	}
}

func outageOfAWait(r *rig) {
	token := r.promise("p")
	_, q := r.away(40, driver.ErrUnavailable)
	done := make(chan error, 2)
	go func() { _, err := q.Await(r.ctx, "p"); done <- err }()
	go func() {
		var last error
		for _, err := range q.Watch(r.ctx, "p") {
			last = err
		}
		done <- last
	}()
	r.pass(time.Minute)
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); err != nil {
		r.Fatal(err)
	}
	for range cap(done) {
		if err := <-done; err != nil {
			r.Error(err)
		}
	}
}
