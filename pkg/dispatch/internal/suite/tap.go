package suite

import (
	"context"
	"sync/atomic"

	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
)

// tapped are seams that a case looks into: put and write are asked before each
// message and each write, and an error is the answer in its place. stored is told
// of each message that is, written of each write, read of each key that was read, and
// settled of each verdict but the keeping of leases.
type tapped struct {
	put     func(m driver.Message) error
	stored  func(m driver.Message)
	settled func(s driver.Settlement)
	write   func(w driver.Write) error
	written func(w driver.Write)
	read    func(k driver.Key)
	watched func()
}

func (r *rig) tap(t tapped) *dispatch.Queue {
	return r.over(tappedStore{r.pair.Store, t}, tappedBroker{r.pair.Broker, t})
}

type tappedBroker struct {
	driver.Broker
	tapped
}

func (b tappedBroker) Put(ctx context.Context, messages []driver.Message) []driver.Stored {
	answers := make([]driver.Stored, len(messages))
	for i, m := range messages {
		if b.put != nil {
			answers[i].Err = b.put(m)
		}
		if answers[i].Err == nil {
			answers[i] = b.Broker.Put(ctx, messages[i:i+1])[0]
		}
		if answers[i].Err == nil && b.stored != nil {
			b.stored(m)
		}
	}
	return answers
}

func (b tappedBroker) Settle(ctx context.Context, settlements []driver.Settlement) error {
	err := b.Broker.Settle(ctx, settlements)
	for _, s := range settlements {
		if b.settled != nil && s.Verdict != driver.Extend {
			b.settled(s)
		}
	}
	return err
}

type tappedStore struct {
	driver.Store
	tapped
}

func (s tappedStore) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	answers := make([]driver.Written, len(writes))
	for i, w := range writes {
		if s.write != nil {
			answers[i].Err = s.write(w)
		}
		if answers[i].Err == nil {
			answers[i] = s.Store.Write(ctx, writes[i:i+1])[0]
		}
		if answers[i].Err == nil && s.written != nil {
			s.written(w)
		}
	}
	return answers
}

func (s tappedStore) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	entries, err := s.Store.Read(ctx, keys)
	s.tellRead(keys)
	return entries, err
}

func (s tappedStore) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	entries, err := s.Store.ReadLatest(ctx, keys)
	s.tellRead(keys)
	return entries, err
}

func (s tappedStore) tellRead(keys []driver.Key) {
	for _, k := range keys {
		if s.read != nil {
			s.read(k)
		}
	}
}

func (s tappedStore) Watch(ctx context.Context, keys []driver.Key) (<-chan driver.Entry, error) {
	if s.watched != nil {
		s.watched()
	}
	return s.Store.Watch(ctx, keys)
}

// writesTo counts the writes to one space.
type writesTo struct {
	driver.Store
	space driver.Space
	n     atomic.Int64
}

func (s *writesTo) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	for _, w := range writes {
		if w.Space == s.space {
			s.n.Add(1)
		}
	}
	return s.Store.Write(ctx, writes)
}
