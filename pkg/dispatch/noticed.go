package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

const (
	// noticeLimit is how long somebody who has waited spends on saying so.
	noticeLimit = 2 * time.Second
	// muteAfter is how many words in a row may go without an answer until whoever
	// says them counts as somebody who may not: a server does not answer these. One
	// may have been a hiccup.
	muteAfter = 2
	// muteFor is how long nothing is said then. Permissions change, and servers recover.
	muteFor = time.Minute
)

// noticed says that somebody who waited has seen the outcome. It is tried once:
// who may not say it leaves the failure on the list.
func (q *Queue) noticed(ctx context.Context, r *deferred.Record) {
	if !r.Unhandled() || !q.voice.heard() {
		return
	}
	m, err := wire.CommandMessage(deferred.Command{Verb: deferred.Handle, ID: r.ID})
	if err != nil {
		return
	}
	short, cancel := context.WithTimeout(ctx, noticeLimit)
	defer cancel()
	err = q.records.Broker.Put(short, []driver.Message{m})[0].Err
	if ctx.Err() == nil {
		q.voice.said(err == nil || short.Err() == nil && !errors.Is(err, driver.ErrNotPermitted))
	}
}

// voice tells whether there is a point in saying that a failure was seen.
type voice struct {
	mu         sync.Mutex
	unanswered int
	until      time.Time // it is mute
}

func (v *voice) heard() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return time.Now().After(v.until)
}

func (v *voice) said(answered bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if answered {
		v.unanswered = 0
		return
	}
	if v.unanswered++; v.unanswered >= muteAfter {
		v.until = time.Now().Add(muteFor)
	}
}
