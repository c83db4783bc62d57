package dispatchtest

import (
	"context"
	"sync"

	"zasync/pkg/dispatch"
)

// freezer stands between a process and its seams, and can make it stand still,
// as a stopped process or a long pause would: what it says does not go out, and
// what comes waits. When it thaws it goes on with what it knew.
type freezer struct {
	dispatch.Store
	dispatch.Broker

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

type frozenStore struct{ *freezer }

func (s frozenStore) Write(ctx context.Context, w []dispatch.Write) []dispatch.Written {
	s.wait()
	return s.Store.Write(ctx, w)
}

func (s frozenStore) Read(ctx context.Context, k []dispatch.Key) ([]dispatch.Entry, error) {
	s.wait()
	return s.Store.Read(ctx, k)
}

func (s frozenStore) ReadLatest(ctx context.Context, k []dispatch.Key) ([]dispatch.Entry, error) {
	s.wait()
	return s.Store.ReadLatest(ctx, k)
}

type frozenBroker struct{ *freezer }

func (b frozenBroker) Put(ctx context.Context, m []dispatch.Message) []dispatch.Stored {
	b.wait()
	return b.Broker.Put(ctx, m)
}

func (b frozenBroker) Settle(ctx context.Context, s []dispatch.Settlement) error {
	b.wait()
	return b.Broker.Settle(ctx, s)
}
