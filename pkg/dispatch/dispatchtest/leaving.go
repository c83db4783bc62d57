package dispatchtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"zasync/pkg/dispatch"
)

var errGone = errors.New("the connection is gone")

// leaving is a store whose connection ends.
type leaving struct {
	dispatch.Store
	gone    chan struct{}
	watches atomic.Int64
}

func (s *leaving) end() { close(s.gone) }

func (s *leaving) error() error {
	select {
	case <-s.gone:
		return fmt.Errorf("%w: %w", dispatch.ErrClosed, errGone)
	default:
		return nil
	}
}

func (s *leaving) Write(ctx context.Context, writes []dispatch.Write) []dispatch.Written {
	if err := s.error(); err != nil {
		answers := make([]dispatch.Written, len(writes))
		for i := range answers {
			answers[i].Err = err
		}
		return answers
	}
	return s.Store.Write(ctx, writes)
}

func (s *leaving) Read(ctx context.Context, keys []dispatch.Key) ([]dispatch.Entry, error) {
	if err := s.error(); err != nil {
		return nil, err
	}
	return s.Store.Read(ctx, keys)
}

func (s *leaving) ReadLatest(ctx context.Context, keys []dispatch.Key) ([]dispatch.Entry, error) {
	if err := s.error(); err != nil {
		return nil, err
	}
	return s.Store.ReadLatest(ctx, keys)
}

func (s *leaving) Watch(ctx context.Context, keys []dispatch.Key) (<-chan dispatch.Entry, error) {
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
