// Package plainworker is a small worker of the queue that knows PROTOCOL.md and
// nothing else: it imports no package of this module, so that what it can do, a
// worker in any language can. It performs plain calls of one lane, one after the
// other, and gives back everything that asks for more than it knows.
package plainworker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// Worker performs the calls of a lane.
type Worker struct {
	Conn        *nats.Conn
	Queue, Name string // the lane
	Incarnation string // unique to this run
	Perform     func(args []byte) (json.RawMessage, error)

	js natsjs.JetStream

	ahead time.Duration // how much this clock is, of the server's, at most

	mu    sync.Mutex
	since time.Time // every heartbeat has been stored since
}

const (
	lease      = 4 * time.Second
	seen       = 3 * time.Second // how long a heartbeat is
	maxDeaths  = 3
	retryAfter = time.Second
	fireEarly  = 500 * time.Millisecond
	lookAgain  = 500 * time.Millisecond
)

// Run performs calls until ctx ends.
func (w *Worker) Run(ctx context.Context) (err error) {
	if w.js, err = natsjs.New(w.Conn); err != nil {
		return err
	}
	if err := w.beat(ctx); err != nil {
		return err
	}
	go w.every(ctx, time.Second, func() { _ = w.beat(ctx) })
	lane, err := w.lane(ctx)
	if err != nil {
		return fmt.Errorf("plainworker: lane: %w", err)
	}
	for ctx.Err() == nil {
		batch, err := lane.Fetch(1, natsjs.FetchMaxWait(time.Second))
		if err != nil {
			continue // the server may be away for a while
		}
		for m := range batch.Messages() {
			w.handle(ctx, m)
		}
	}
	return nil
}

// lane gives the consumer of the lane, new if nobody made it before.
func (w *Worker) lane(ctx context.Context) (natsjs.Consumer, error) {
	name := strings.ReplaceAll(w.Queue+"+"+w.Name, "/", "=")
	lane, err := w.js.CreateConsumer(ctx, "ZASYNC_QUEUE", natsjs.ConsumerConfig{
		Durable: name, FilterSubject: "zasync.q." + w.Queue + "." + w.Name + ".>",
		AckPolicy: natsjs.AckExplicitPolicy, AckWait: lease,
		MaxDeliver: -1, MaxAckPending: -1, MaxWaiting: 10_000, InactiveThreshold: 7 * 24 * time.Hour,
	})
	if errors.Is(err, natsjs.ErrConsumerExists) {
		return w.js.Consumer(ctx, "ZASYNC_QUEUE", name)
	}
	return lane, err
}

// beat says that the worker lives. A heartbeat that was not stored is a gap:
// those of others may be missing for the same reason.
func (w *Worker) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	data, err := json.Marshal(map[string]any{"name": "plain", "incarnation": w.Incarnation, "slots": 1, "time": time.Now().UTC()})
	if err == nil {
		_, err = w.write(ctx, "$KV.ZASYNC_WORKERS."+w.Incarnation, data)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		w.since = time.Time{}
	case w.since.IsZero():
		w.since = time.Now()
	}
	return err
}

// dead reports whether another worker is, for certain.
func (w *Worker) dead(ctx context.Context, incarnation string) bool {
	m, err := w.read(ctx, "WORKERS", incarnation)
	if err != nil || m != nil && m.Header.Get("KV-Operation") == "" {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.since.IsZero() && time.Since(w.since) > seen
}

// handle gives back whatever perform does not finish.
func (w *Worker) handle(ctx context.Context, m natsjs.Msg) {
	held, release := context.WithCancel(ctx)
	go w.every(held, lease/4, func() { _ = m.InProgress() })
	done, err := w.perform(ctx, m)
	release()
	switch {
	case err != nil: // fenced, or the connection is gone: not a word
	case done:
		_ = m.Ack() // if it is lost, the call is met again, and is settled
	default:
		_ = m.NakWithDelay(lookAgain)
	}
}

func (*Worker) every(ctx context.Context, d time.Duration, do func()) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			do()
		case <-ctx.Done():
			return
		}
	}
}

// write stores a value and gives its revision.
func (w *Worker) write(ctx context.Context, subject string, data []byte, headers ...string) (uint64, error) {
	m := nats.NewMsg(subject)
	m.Data = data
	for i := 0; i+1 < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	ack, err := w.js.PublishMsg(ctx, m)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// read gives the last value of a key; nil if there is none.
func (w *Worker) read(ctx context.Context, bucket, key string) (*nats.Msg, error) {
	m, err := w.Conn.RequestWithContext(ctx, "$JS.API.DIRECT.GET.KV_ZASYNC_"+bucket+".$KV.ZASYNC_"+bucket+"."+key, nil)
	switch {
	case err != nil:
		return nil, err
	case m.Header.Get("Status") == "404":
		return nil, nil
	case m.Header.Get("Status") != "":
		return nil, fmt.Errorf("plainworker: read %s: %s", key, m.Header.Get("Description"))
	}
	return m, nil
}

// now is the server's time, or a little earlier: the smallest difference seen
// between a message's coming here and its having been stored there.
func (w *Worker) now() time.Time { return time.Now().Add(-w.ahead).UTC() }

func (w *Worker) observe(stored time.Time) {
	if d := time.Since(stored); w.ahead == 0 || d < w.ahead {
		w.ahead = d
	}
}
