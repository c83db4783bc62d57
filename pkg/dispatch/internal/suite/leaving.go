package suite

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"zasync/pkg/dispatch/driver"
)

var errGone = errors.New("the connection is gone")

// leaving is a store whose connection ends.
type leaving struct {
	driver.Store
	gone    chan struct{}
	watches atomic.Int64
}

func (s *leaving) end() { close(s.gone) }

func (s *leaving) error() error {
	select {
	case <-s.gone:
		return fmt.Errorf("%w: %w", driver.ErrClosed, errGone)
	default:
		return nil
	}
}

func (s *leaving) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	if err := s.error(); err != nil {
		answers := make([]driver.Written, len(writes))
		for i := range answers {
			answers[i].Err = err
		}
		return answers
	}
	return s.Store.Write(ctx, writes)
}

func (s *leaving) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if err := s.error(); err != nil {
		return nil, err
	}
	return s.Store.Read(ctx, keys)
}

func (s *leaving) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if err := s.error(); err != nil {
		return nil, err
	}
	return s.Store.ReadLatest(ctx, keys)
}

func (s *leaving) Watch(ctx context.Context, keys []driver.Key) (<-chan driver.Entry, error) {
	if err := s.error(); err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	go func() {
		defer end()
		select {
		case <-s.gone:
		case <-ctx.Done():
		}
	}()
	s.watches.Add(1)
	return s.Store.Watch(ctx, keys)
}
