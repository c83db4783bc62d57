package dispatchtest

import (
	"context"
	"sync/atomic"

	"zasync/pkg/dispatch"
)

// tapped are seams that a case looks into: put and write are asked before each
// message and each write, and an error is the answer in its place. stored is told
// of each message that is, written of each write, read of each key that was read, and
// settled of each verdict but the keeping of leases.
type tapped struct {
	put     func(m dispatch.Message) error
	stored  func(m dispatch.Message)
	settled func(s dispatch.Settlement)
	write   func(w dispatch.Write) error
	written func(w dispatch.Write)
	read    func(k dispatch.Key)
	watched func()
}

func (r *rig) tap(t tapped) *dispatch.Queue {
	return r.over(tappedStore{r.pair.Store, t}, tappedBroker{r.pair.Broker, t})
}

type tappedBroker struct {
	dispatch.Broker
	tapped
}

func (b tappedBroker) Put(ctx context.Context, messages []dispatch.Message) []dispatch.Stored {
	answers := make([]dispatch.Stored, len(messages))
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

func (b tappedBroker) Settle(ctx context.Context, settlements []dispatch.Settlement) error {
	err := b.Broker.Settle(ctx, settlements)
	for _, s := range settlements {
		if b.settled != nil && s.Verdict != dispatch.Extend {
			b.settled(s)
		}
	}
	return err
}

type tappedStore struct {
	dispatch.Store
	tapped
}

func (s tappedStore) Write(ctx context.Context, writes []dispatch.Write) []dispatch.Written {
	answers := make([]dispatch.Written, len(writes))
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

func (s tappedStore) Read(ctx context.Context, keys []dispatch.Key) ([]dispatch.Entry, error) {
	entries, err := s.Store.Read(ctx, keys)
	s.tellRead(keys)
	return entries, err
}

func (s tappedStore) ReadLatest(ctx context.Context, keys []dispatch.Key) ([]dispatch.Entry, error) {
	entries, err := s.Store.ReadLatest(ctx, keys)
	s.tellRead(keys)
	return entries, err
}

func (s tappedStore) tellRead(keys []dispatch.Key) {
	for _, k := range keys {
		if s.read != nil {
			s.read(k)
		}
	}
}

func (s tappedStore) Watch(ctx context.Context, keys []dispatch.Key) (<-chan dispatch.Entry, error) {
	if s.watched != nil {
		s.watched()
	}
	return s.Store.Watch(ctx, keys)
}

// writesTo counts the writes to one space.
type writesTo struct {
	dispatch.Store
	space dispatch.Space
	n     atomic.Int64
}

func (s *writesTo) Write(ctx context.Context, writes []dispatch.Write) []dispatch.Written {
	for _, w := range writes {
		if w.Space == s.space {
			s.n.Add(1)
		}
	}
	return s.Store.Write(ctx, writes)
}
