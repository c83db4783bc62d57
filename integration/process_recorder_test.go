package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// recorder sees the records as they are published live, and holds each to what
// it was when it had settled first.
type recorder struct {
	t    *testing.T
	live *nats.Subscription

	mu      sync.Mutex
	settled map[deferred.ID]final
	seen    int
	broken  []string
}

// ending is how a call ended, or that it has not.
type ending struct {
	state           deferred.State
	result, failure string
}

func endingOf(r *deferred.Record) ending {
	e := ending{state: r.State, result: string(r.Result.Data)}
	if r.Failure != nil {
		e.failure = r.Failure.Error()
	}
	return e
}

// final is what never changes in the record of a call that has ended.
type final struct {
	ending
	token   deferred.Token
	attempt int
	counts  deferred.Counts
}

func newRecorder(t *testing.T, nc *nats.Conn) *recorder {
	t.Helper()
	r := &recorder{t: t, settled: map[deferred.ID]final{}}
	var err error
	r.live, err = nc.Subscribe("zasync.live.state.>", func(m *nats.Msg) {
		var record deferred.Record
		if err := json.Unmarshal(m.Data, &record); err != nil {
			r.breach(fmt.Sprintf("%s: %v", m.Subject, err))
			return
		}
		r.see(&record)
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *recorder) breach(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = append(r.broken, what)
}

func (r *recorder) see(record *deferred.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen++
	now := final{endingOf(record), record.Token, record.Attempt, record.Counts}
	was, ok := r.settled[record.ID]
	switch {
	case ok && was != now:
		r.broken = append(r.broken, fmt.Sprintf("%s changed after it had settled, from %+v to %+v", record.ID, was, now))
	case record.State.Settled():
		r.settled[record.ID] = now
	}
}

// check ends the recording. It compares with what is stored then, since what was
// published while we were not connected was not heard.
func (r *recorder) check(ctx context.Context, q *dispatch.Queue) {
	r.t.Helper()
	drained := make(chan struct{})
	r.live.SetClosedHandler(func(string) { close(drained) })
	if err := r.live.Drain(); err != nil {
		r.t.Fatal(err)
	}
	<-drained // else an earlier version might be seen after a later one
	for record, err := range q.List(ctx, dispatch.Filter{}) {
		if err != nil {
			r.t.Fatal(err)
		}
		r.see(&record)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.broken) > 0 {
		r.t.Error(strings.Join(r.broken, "\n"))
	}
	r.t.Logf("recorder: %d versions of records seen, %d settled", r.seen, len(r.settled))
}
