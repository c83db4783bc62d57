package dispatch

import (
	"sync"

	"zasync/pkg/dispatch/driver"
)

// life is how long a queue is open.
type life struct {
	over chan struct{} // closed when the queue is
	end  func()        // closes over; may be called again
}

func newLife() *life {
	l := &life{over: make(chan struct{})}
	l.end = sync.OnceFunc(func() { close(l.over) })
	return l
}

// check returns ErrClosed if the queue is closed.
func (l *life) check() error {
	select {
	case <-l.over:
		return driver.ErrClosed
	default:
		return nil
	}
}

// Close ends every await, watch and fetch of this queue with [ErrClosed]. The queue
// refuses later requests with that error. Workers leave before Close, so that their
// calls go back at once. A connection under the queue stays open. A second Close does
// nothing.
func (q *Queue) Close() error {
	q.life.end()
	if q.config.Seams == nil {
		return nil
	}
	return q.config.Seams.Close()
}
