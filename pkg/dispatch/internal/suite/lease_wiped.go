package suite

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// wipedStore is the store as one process sees it, of which somebody deletes all
// heartbeats: the next one that is stored is the first of a new space.
type wipedStore struct {
	driver.Store
	base   *atomic.Uint64 // the revision at which they were deleted
	muted  *atomic.Bool   // those of this process are not stored
	judges func(driver.Key)
}

func (s wipedStore) wipe(ctx context.Context) {
	key := driver.Key{Space: driver.Workers, Name: "=wiped"}
	s.base.Store(s.Store.Write(ctx, []driver.Write{{Key: key, Expect: driver.Unconditional}})[0].Revision)
}

func (s wipedStore) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	if writes[0].Space != driver.Workers {
		return s.Store.Write(ctx, writes)
	}
	if s.muted != nil && s.muted.Load() {
		return []driver.Written{{Err: driver.ErrUnknown}}
	}
	written := s.Store.Write(ctx, writes)
	written[0].Revision -= min(written[0].Revision, s.base.Load())
	return written
}

func (s wipedStore) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if s.judges != nil && keys[0].Space == driver.Workers {
		s.judges(keys[0])
	}
	entries, err := s.Store.ReadLatest(ctx, keys)
	for i := range entries {
		switch base := s.base.Load(); {
		case keys[i].Space != driver.Workers:
		case entries[i].Revision <= base:
			entries[i] = driver.Entry{Key: keys[i]}
		default:
			entries[i].Revision -= base
		}
	}
	return entries, err
}

// The message of a call comes to another worker while its own one lives, and at that
// moment all heartbeats are deleted. That of the living one is the last to come again.
func leaseWhenHeartbeatsAreWiped(r *rig) {
	var base atomic.Uint64
	var muted atomic.Bool
	still := &freezer{Store: r.pair.Store, Broker: r.pair.Broker}
	w := r.join(r.over(wipedStore{Store: r.pair.Store, base: &base, muted: &muted}, frozenBroker{still}), "greet")
	r.submit(greeting("a"))
	a := w.claim()

	var wiping sync.Once
	store := wipedStore{Store: r.pair.Store, base: &base}
	judged := make(chan struct{})
	store.judges = func(driver.Key) {
		wiping.Do(func() {
			muted.Store(true)
			store.wipe(r.ctx)
			time.AfterFunc(2*time.Second, func() { muted.Store(false) })
			close(judged)
		})
	}
	other := r.join(r.over(store, r.pair.Broker), "greet")
	r.pass(2 * driver.HeartbeatTTL) // by then it may judge others
	still.freeze()
	<-judged
	other.idle(2 * driver.HeartbeatTTL)
	still.thaw()
	w.succeed(a)
	if rec := r.await("a", deferred.Succeeded); rec.Attempt != 1 {
		r.Errorf("attempt %d, want 1", rec.Attempt)
	}
}
