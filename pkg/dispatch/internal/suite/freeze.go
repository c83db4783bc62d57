package suite

import (
	"context"
	"sync"
	"sync/atomic"

	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// freezer stands between a process and its seams, and can make it stand still,
// as a stopped process or a long pause would: what it says does not go out, and
// what comes waits. When it thaws it goes on with what it knew.
type freezer struct {
	driver.Store
	driver.Broker

	mu     sync.Mutex
	frozen chan struct{} // closed by thaw; nil when it moves
}

func (f *freezer) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.frozen = make(chan struct{})
}

func (f *freezer) thaw() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.frozen != nil {
		close(f.frozen)
		f.frozen = nil
	}
}

// wait stands still while the process does.
func (f *freezer) wait() {
	f.mu.Lock()
	frozen := f.frozen
	f.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

// stands reports whether the process stands still.
func (f *freezer) stands() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.frozen != nil
}

// halting is a queue of a process that stands still right after something that it
// did, the first that hit says: it has written a record, stored a message or read a
// key. The other two are nil then. It takes messages of one route: what it holds
// besides would be dealt with by others meanwhile, and once more by it.
func (r *rig) halting(takes driver.Route, hit func(w *driver.Write, m *driver.Message, k *driver.Key) bool) (*dispatch.Queue, *freezer) {
	f := &freezer{Store: r.pair.Store, Broker: r.pair.Broker}
	var halted atomic.Bool
	halt := func(w *driver.Write, m *driver.Message, k *driver.Key) {
		if hit(w, m, k) && halted.CompareAndSwap(false, true) {
			f.freeze()
			f.wait()
		}
	}
	t := tapped{
		written: func(w driver.Write) { halt(&w, nil, nil) },
		stored:  func(m driver.Message) { halt(nil, &m, nil) },
		read:    func(k driver.Key) { halt(nil, nil, &k) },
	}
	b := routed{tappedBroker{frozenBroker{f}, t}, func(route driver.Route) bool { return route == takes }}
	return r.over(tappedStore{frozenStore{f}, t}, b), f
}

// standsStill waits until the process does.
func (r *rig) standsStill(f *freezer) {
	r.Helper()
	drivertest.Eventually(r.T, "the process stands still", f.stands)
}

type frozenStore struct{ *freezer }

func (s frozenStore) Write(ctx context.Context, w []driver.Write) []driver.Written {
	s.wait()
	return s.Store.Write(ctx, w)
}

func (s frozenStore) Read(ctx context.Context, k []driver.Key) ([]driver.Entry, error) {
	s.wait()
	return s.Store.Read(ctx, k)
}

func (s frozenStore) ReadLatest(ctx context.Context, k []driver.Key) ([]driver.Entry, error) {
	s.wait()
	return s.Store.ReadLatest(ctx, k)
}

type frozenBroker struct{ *freezer }

func (b frozenBroker) Put(ctx context.Context, m []driver.Message) []driver.Stored {
	b.wait()
	return b.Broker.Put(ctx, m)
}

func (b frozenBroker) Settle(ctx context.Context, s []driver.Settlement) error {
	b.wait()
	return b.Broker.Settle(ctx, s)
}
