package dispatch

import (
	"sync"

	"zasync/pkg/dispatch/driver"
)

// life is how long a queue is open.
type life struct {
	over chan struct{} // closed when it is
	end  func()        // ends it; may be called again
}

func newLife() *life {
	l := &life{over: make(chan struct{})}
	l.end = sync.OnceFunc(func() { close(l.over) })
	return l
}

// check is ErrClosed when the queue is.
func (l *life) check() error {
	select {
	case <-l.over:
		return driver.ErrClosed
	default:
		return nil
	}
}

// Close ends whatever waits in this queue, with [ErrClosed]: who awaits, who watches,
// and who fetches. What is asked of it afterwards is refused with that error. Workers
// leave before, so that their calls go back at once. A connection under it stays open.
// To close it again does nothing.
func (q *Queue) Close() error {
	q.life.end()
	if q.config.Seams == nil {
		return nil
	}
	return q.config.Seams.Close()
}
