package drivertest

import (
	"context"
	"iter"

	"zasync/pkg/dispatch/driver"
)

// A faultyStore is the store of one process under [Faults].
type faultyStore struct {
	inner  driver.Store
	faults *Faults
}

func (s faultyStore) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	answers := make([]driver.Written, len(writes))
	for i := range writes {
		answers[i] = s.write(ctx, writes[i])
	}
	return answers
}

func (s faultyStore) write(ctx context.Context, w driver.Write) (answer driver.Written) {
	operation := func() error {
		answer = s.inner.Write(ctx, []driver.Write{w})[0]
		return answer.Err
	}
	if w.Space == driver.Workers {
		if err := s.faults.alive(); err != nil {
			return driver.Written{Err: err}
		}
		_ = operation()
		return answer
	}
	verb := "write "
	if w.Delete {
		verb = "delete "
	}
	if err := s.faults.do(verb+string(w.Space)+" "+w.Name, operation); err != nil {
		return driver.Written{Err: err}
	}
	return answer
}

func (s faultyStore) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if err := s.faults.alive(); err != nil {
		return nil, err
	}
	return s.inner.Read(ctx, keys)
}

func (s faultyStore) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if err := s.faults.alive(); err != nil {
		return nil, err
	}
	return s.inner.ReadLatest(ctx, keys)
}

func (s faultyStore) List(ctx context.Context, q driver.Query) iter.Seq2[driver.Entry, error] {
	if err := s.faults.alive(); err != nil {
		return Only[driver.Entry](err)
	}
	return s.inner.List(ctx, q)
}

func (s faultyStore) Count(ctx context.Context, space driver.Space) (int, error) {
	if err := s.faults.alive(); err != nil {
		return 0, err
	}
	return s.inner.Count(ctx, space)
}

func (s faultyStore) Watch(ctx context.Context, keys []driver.Key) (<-chan driver.Entry, error) {
	if err := s.faults.alive(); err != nil {
		return nil, err
	}
	return s.inner.Watch(ctx, keys)
}

// Only is a sequence of nothing but an error.
func Only[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		yield(none, err)
	}
}
