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
	// noticeLimit is how long a caller that has waited spends on saying so.
	noticeLimit = 2 * time.Second
	// muteAfter is how many of these messages may go without an answer, one after the
	// other. Then the user counts as one without the right to send them, since a server
	// does not answer such a user. A single one may have been a hiccup.
	muteAfter = 2
	// muteFor is how long the queue then sends none. Permissions change, and servers
	// recover.
	muteFor = time.Minute
)

// noticed sends the command that marks a failure as handled, since a caller that waited
// has seen the outcome. It tries once: a user without the right to send the command leaves
// the failure on the list.
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

// voice tells whether it is worth while to send that a caller has seen a failure.
type voice struct {
	mu         sync.Mutex
	unanswered int
	until      time.Time // nothing is sent before
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
