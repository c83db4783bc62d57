package suite

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

// A leaver is a worker that performs greet and deals with a delayed call besides, until it
// may go on.
type leaver struct {
	*hand
	deals atomic.Bool // with the delayed call
	goOn  chan struct{}
	left  chan error
}

// leaver joins a worker that performs a call of the message.
func (r *rig) leaver(b driver.Broker, t tapped, m driver.Message) *leaver {
	r.Helper()
	l := &leaver{left: make(chan error, 1), goOn: make(chan struct{})}
	t.written = func(w driver.Write) {
		if w.Key == drivertest.RecordKey("late") && l.deals.CompareAndSwap(false, true) {
			<-l.goOn
		}
	}
	l.hand = r.join(r.over(tappedStore{r.pair.Store, t}, tappedBroker{b, t}), "greet")
	r.put(m)
	l.claim()
	return l
}

// leave has it leave when it deals with a delayed call.
func (b *leaver) leave() {
	b.Helper()
	late := greeting("late")
	late.Delay = time.Hour
	b.submit(late)
	drivertest.Eventually(b.T, "the worker deals with the delayed call", b.deals.Load)
	go func() { b.left <- b.feed.Leave(b.ctx) }()
}

// parks lets the worker go on, which must hold the message of the delayed call still.
func (b *leaver) parks() {
	b.Helper()
	close(b.goOn)
	drivertest.Eventually(b.T, "the delayed call is parked by who has it", func() bool {
		return b.pending(driver.Later) == 0 && b.pending(driver.Delay) == 1
	})
}

func leavesWhileOverdue(r *rig) {
	untold := make(chan struct{})
	defer close(untold)
	var told atomic.Bool
	m := again("a")
	m.Header[wire.HeaderDeadline] = time.Now().Add(time.Second).Format(time.RFC3339Nano)
	b := r.leaver(r.pair.Broker, tapped{put: func(m driver.Message) error {
		if m.Verb == "expire" {
			told.Store(true)
			<-untold
		}
		return nil
	}}, m)
	b.leave()
	drivertest.Eventually(r.T, "the deadline is told", told.Load)
	r.pass(2 * r.pair.Lease)
	b.parks()
}

// unrenewed is a broker to which no word on a lease comes for a while.
type unrenewed struct {
	driver.Broker
	now atomic.Bool
}

func (b *unrenewed) Settle(ctx context.Context, s []driver.Settlement) error {
	if b.now.Load() && s[0].Verdict == driver.Extend {
		return errOnce
	}
	return b.Broker.Settle(ctx, s)
}

// The lease of an attempt has a gap, and that of what came later does not.
func leavesAfterAGap(r *rig) {
	unread := make(chan struct{})
	defer close(unread)
	var behind atomic.Bool
	broker := &unrenewed{Broker: r.pair.Broker}
	b := r.leaver(broker, tapped{read: func(k driver.Key) {
		if k == drivertest.RecordKey("a") && behind.Load() {
			<-unread
		}
	}}, again("a"))
	behind.Store(true)
	broker.now.Store(true)
	r.pass(r.pair.Lease * 5 / 8)
	b.leave()
	r.pass(r.pair.Lease * 2 / 8)
	broker.now.Store(false)
	r.pass(2 * r.pair.Lease)
	b.parks()
}

// closing is a broker whose subscriptions do something before they close: in the
// middle of a leave.
type closing struct {
	driver.Broker
	before func()
}

func (b closing) Subscribe(ctx context.Context) (driver.Subscription, error) {
	s, err := b.Broker.Subscribe(ctx)
	return closingSubscription{s, b.before}, err
}

type closingSubscription struct {
	driver.Subscription
	before func()
}

func (s closingSubscription) Close() error {
	s.before()
	return s.Subscription.Close()
}

func annotatesWhileLeaving(r *rig) {
	var a *deferred.Attempt
	var once sync.Once
	w := r.join(r.over(r.pair.Store, closing{r.pair.Broker, func() {
		once.Do(func() {
			for _, key := range []string{"first", "second"} {
				if err := a.Ledger.Annotate(r.ctx, "a", deferred.Note{Key: key, Value: []byte(`1`)}); err != nil {
					r.Error(err)
				}
			}
		})
	}}), "greet")
	a = w.claims(greeting("a"))[0]
	if err := w.feed.Leave(r.ctx); err != nil {
		r.Fatal(err)
	}
	r.noted("a", map[string]string{"first": "1", "second": "1"}, false)
}

// The race detector hears of work that is begun while a worker waits for its end.
func declinesWhileLeaving(r *rig) {
	for i := range 20 {
		r.declinesWhileLeaving(deferred.ID(fmt.Sprint("a", i)))
	}
}

func (r *rig) declinesWhileLeaving(id deferred.ID) {
	r.Helper()
	var w *hand
	var o deferred.Offer
	var once sync.Once
	declined := make(chan struct{})
	w = r.join(r.over(r.pair.Store, closing{r.pair.Broker, func() {
		once.Do(func() {
			go func() { w.feed.Decline(o, "not here"); close(declined) }()
		})
	}}), string(id))
	o = w.claims(named(string(id), id))[0].Offer
	if err := w.feed.Leave(r.ctx); err != nil {
		r.Fatal(err)
	}
	<-declined
	r.comesToBe(id, "is pending again", func(rec *deferred.Record) bool { return rec.State == deferred.Pending })
}
