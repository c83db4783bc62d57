package suite

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// A storm stands between a process and what it shares with others, as [Faults]
// does, and strikes at random: every operation takes its time, now and then a
// very long one, some fail and of some the answer is lost.
type storm struct {
	mu     sync.Mutex
	random *rand.Rand
}

// intn is safe for concurrent use.
func (s *storm) intn(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

// last waits for as long as an operation takes.
func (s *storm) last(ctx context.Context) {
	d := time.Duration(s.intn(20)) * time.Millisecond
	if s.intn(200) == 0 { // longer than a lease and a heartbeat
		d = time.Duration(s.intn(8000)) * time.Millisecond
	}
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// write lets an operation happen, or not, and gives the error that is told.
func (s *storm) write(ctx context.Context, operation func() error) error {
	s.last(ctx)
	defer s.last(ctx)
	switch s.intn(40) {
	case 0:
		return drivertest.ErrFailed
	case 1:
		return driver.ErrUnknown
	case 2:
		_ = operation()
		return driver.ErrUnknown
	}
	return operation()
}

// read lets a look fail or not.
func (s *storm) read(ctx context.Context) error {
	s.last(ctx)
	if s.intn(60) == 0 {
		return drivertest.ErrFailed
	}
	return nil
}

type stormyStore struct {
	driver.Store
	storm *storm
}

func (s stormyStore) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	answers := make([]driver.Written, len(writes))
	for i, w := range writes {
		err := s.storm.write(ctx, func() error {
			answers[i] = s.Store.Write(ctx, []driver.Write{w})[0]
			return answers[i].Err
		})
		if err != nil {
			answers[i] = driver.Written{Err: err}
		}
	}
	return answers
}

func (s stormyStore) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if err := s.storm.read(ctx); err != nil {
		return nil, err
	}
	return s.Store.Read(ctx, keys)
}

func (s stormyStore) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if err := s.storm.read(ctx); err != nil {
		return nil, err
	}
	return s.Store.ReadLatest(ctx, keys)
}

func (s stormyStore) List(ctx context.Context, q driver.Query) iter.Seq2[driver.Entry, error] {
	if err := s.storm.read(ctx); err != nil {
		return drivertest.Only[driver.Entry](err)
	}
	return s.Store.List(ctx, q)
}

type stormyBroker struct {
	driver.Broker
	storm *storm
}

func (b stormyBroker) Put(ctx context.Context, messages []driver.Message) []driver.Stored {
	answers := make([]driver.Stored, len(messages))
	for i, m := range messages {
		err := b.storm.write(ctx, func() error {
			answers[i] = b.Broker.Put(ctx, []driver.Message{m})[0]
			return answers[i].Err
		})
		if err != nil {
			answers[i] = driver.Stored{Err: err}
		}
	}
	return answers
}

// Settle tells nothing of what was lost.
func (b stormyBroker) Settle(ctx context.Context, settlements []driver.Settlement) error {
	var errs []error
	for _, s := range settlements {
		err := b.storm.write(ctx, func() error { return b.Broker.Settle(ctx, []driver.Settlement{s}) })
		if !errors.Is(err, driver.ErrUnknown) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (b stormyBroker) Remove(ctx context.Context, id deferred.ID) error {
	return b.storm.write(ctx, func() error { return b.Broker.Remove(ctx, id) })
}

func (b stormyBroker) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	if err := b.storm.read(ctx); err != nil {
		return nil, err
	}
	return b.Broker.Find(ctx, id)
}
