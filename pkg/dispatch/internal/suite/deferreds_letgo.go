package suite

import (
	"context"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// unhurried takes a while for each read, as over a network, so that two who do the
// same at the same time do so step by step.
type unhurried struct{ driver.Store }

func (s *unhurried) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	e, err := s.Store.Read(ctx, keys)
	dawdle(ctx)
	return e, err
}

func (s *unhurried) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	e, err := s.Store.ReadLatest(ctx, keys)
	dawdle(ctx)
	return e, err
}

func dawdle(ctx context.Context) {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-ctx.Done():
	}
}

// Each of two joins sees that the other one waits for the member too.
func cancelledAtOnce(r *rig) {
	r.submit(named("nobody", "m"), joinOf("first", deferred.JoinAll, "m"), joinOf("second", deferred.JoinAll, "m"))
	w := r.join(r.queue, "greet")
	drivertest.Eventually(r.T, "both wait", func() bool { return len(r.record("m").Callbacks) == 2 })
	if err := w.feed.Leave(r.ctx); err != nil {
		r.Fatal(err)
	}
	r.hands = nil
	r.cancel("first", "no")
	r.cancel("second", "no")
	r.join(r.over(&unhurried{r.pair.Store}, r.pair.Broker), "greet")
	r.await("m", deferred.Cancelled)
}

// Neither the join nor its member has a record yet. The other member was never
// submitted: it is not cancelled for ever.
func cancelledUnmet(r *rig) {
	r.submit(named("nobody", "m"), joinOf("j", deferred.JoinAll, "m", "never"))
	r.cancel("j", "no")
	r.join(r.queue, "greet")
	r.await("m", deferred.Cancelled)
	r.becomesEmpty(driver.Commands)
	if rec := r.record("never"); rec.State.Settled() {
		r.Errorf("what was never submitted is %s", rec.State)
	}
}
