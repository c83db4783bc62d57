package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	settled map[deferred.ID]outcome
	seen    int
	broken  []string
}

// outcome is what never changes once it is there.
type outcome struct {
	State   deferred.State
	Result  string
	Failure string
	Token   deferred.Token
	Attempt int
	Counts  deferred.Counts
}

func newRecorder(t *testing.T, nc *nats.Conn) *recorder {
	t.Helper()
	r := &recorder{t: t, settled: map[deferred.ID]outcome{}}
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
	now := outcome{State: record.State, Result: string(record.Result.Data), Token: record.Token, Attempt: record.Attempt, Counts: record.Counts}
	if record.Failure != nil {
		now.Failure = record.Failure.Error()
	}
	was, ok := r.settled[record.ID]
	switch {
	case ok && was != now:
		r.broken = append(r.broken, fmt.Sprintf("%s changed after it had settled (-first +later):\n%s", record.ID, cmp.Diff(was, now)))
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
