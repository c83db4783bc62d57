package suite

import (
	"context"
	"iter"
	"sync/atomic"
	"time"

	"zasync/pkg/dispatch/driver"
)

// slowList takes a minute to list annotations.
type slowList struct {
	driver.Store
	n atomic.Int32
}

func (s *slowList) List(ctx context.Context, q driver.Query) iter.Seq2[driver.Entry, error] {
	if q.Space == driver.Notes && q.Prefix == "" {
		s.n.Add(1)
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
		}
	}
	return s.Store.List(ctx, q)
}

func slowSweep(r *rig) {
	s := &slowList{Store: r.pair.Store}
	r.join(r.over(s, r.pair.Broker), "nothing")
	r.pass(2 * time.Hour)
	if n := s.n.Load(); n < 9 || n > 12 { // of a minute each, with ten between
		r.Errorf("it was made %d times in two hours", n)
	}
}
