package suite

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// stillAfter stands still after the first message of a command was stored.
type stillAfter struct {
	driver.Broker
	pause func()
}

func (b stillAfter) Put(ctx context.Context, m []driver.Message) []driver.Stored {
	stored := b.Broker.Put(ctx, m)
	b.pause()
	return stored
}

func leaseOfACommand(r *rig) {
	f := &freezer{Store: r.pair.Store, Broker: r.pair.Broker}
	r.cancelsLate(r.over(frozenStore{f}, stillAfter{r.pair.Broker, f.freeze}), f, func() {})
}

// The giver stands still while the server stores the command.
func leaseOfACaller(r *rig) {
	halting, still := r.halting(driver.Ready, func(_ *driver.Write, m *driver.Message, _ *driver.Key) bool {
		return m != nil && m.Route == driver.Commands
	})
	r.cancelsLate(halting, still, func() { r.standsStill(still) })
}

// cancelsLate has a queue that stands still cancel a call. Workers carry the command
// out and forget the call before the queue goes on: it must not make a record then.
func (r *rig) cancelsLate(q *dispatch.Queue, still *freezer, stands func()) {
	r.Helper()
	r.submit(greeting("a"))
	ctx, stop := context.WithCancel(r.ctx)
	answered := make(chan struct{})
	go func() {
		_ = q.Open("a").Cancel(ctx, "late") // it may be answered or cut off
		close(answered)
	}()
	stands()
	r.join(r.queue, "unserved")
	r.await("a", deferred.Cancelled)
	r.join(r.queue, "greet").idle(r.beyond())
	r.becomesEmpty(driver.Ready)
	r.becomesEmpty(driver.Commands)
	r.forget("a")
	still.thaw()
	r.pass(max(time.Second, r.pair.Lease))
	stop()
	<-answered
	r.isForgotten("a")
}

// Nobody answers a word that comes before its promise. So its giver does not wait, also
// if he stood still.
func leaseOfAnEarlyWord(r *rig) {
	call, token := deferred.NewPromise("early", "approval")
	f := &freezer{Store: r.pair.Store, Broker: r.pair.Broker}
	q := r.over(frozenStore{f}, stillAfter{r.pair.Broker, f.freeze})
	given := make(chan error, 1)
	go func() { given <- deferred.ResolvePromise(r.ctx, q, token, 1) }()
	drivertest.Eventually(r.T, "the word is stored", func() bool { return r.pending(driver.Commands) == 1 })
	r.pass(r.pair.Lease + 100*time.Millisecond)
	f.thaw()
	if err := <-given; err != nil {
		r.Error(err)
	}
	r.join(r.queue, "unserved")
	r.submit(call)
	r.await("early", deferred.Succeeded)
}
