package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

const beatEvery = time.Second

// A Heartbeat is what a living worker says about itself, once a second.
type Heartbeat struct {
	Name        string          `json:"name"`
	Incarnation string          `json:"incarnation"`
	Host        string          `json:"host"`
	PID         int             `json:"pid"`
	Slots       int             `json:"slots"`
	Lanes       []deferred.Lane `json:"lanes"`
	Joined      time.Time       `json:"joined"`
	Time        time.Time       `json:"time"`
	// Unhealthy is why the worker takes no calls, until a person does something
	// about it. "": it is healthy.
	Unhealthy string `json:"unhealthy,omitempty"`
	deferred.WorkerStatus
}

// beat keeps one worker's heartbeat going and judges those of others.
type beat struct {
	store      driver.Store
	worker     deferred.Worker
	clock      *clock
	complaints *Complaints
	health     func() error // of the supply, once there is one
	say        Heartbeat

	mu       sync.Mutex
	since    time.Time // our own heartbeats have been stored without a gap since; zero: the last one was not
	stored   time.Time // when the last one that was
	revision uint64    // of that
}

func newBeat(s driver.Store, c *clock, w deferred.Worker, log *Complaints) *beat {
	host, _ := os.Hostname()
	return &beat{store: s, clock: c, worker: w, complaints: log, health: func() error { return nil }, say: Heartbeat{
		Name: w.Name, Incarnation: w.Incarnation, Host: host, PID: os.Getpid(),
		Slots: w.Slots, Lanes: w.Lanes, Joined: time.Now().UTC(),
	}}
}

func (b *beat) key() driver.Key { return driver.Key{Space: driver.Workers, Name: b.worker.Incarnation} }

// once writes one heartbeat. One that is not stored in its second is a gap:
// then others' may be missing for the same reason.
func (b *beat) once(ctx context.Context, within time.Duration) error {
	b.say.Time = time.Now()
	if b.worker.Status != nil {
		b.say.WorkerStatus = b.worker.Status()
	}
	b.say.Unhealthy = ""
	if err := b.health(); err != nil {
		b.say.Unhealthy = err.Error()
	}
	say := b.say
	say.Time = say.Time.UTC()
	data, err := json.Marshal(say)
	if err != nil {
		return fmt.Errorf("dispatch: heartbeat: %w", err)
	}
	short, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	w := b.store.Write(short, []driver.Write{{Key: b.key(), Value: data, Expect: driver.Unconditional}})[0]
	if w.Err == nil {
		b.askTime(short)
	}
	if err := b.note(w); err != nil {
		return fmt.Errorf("dispatch: heartbeat of %s: %w", b.worker.Name, err)
	}
	return nil
}

// note takes in how a heartbeat was stored. A revision below the last one is of a
// store that was made anew, in which those of others are missing still.
func (b *beat) note(w driver.Written) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case w.Err != nil:
		b.since = time.Time{}
		return w.Err
	case b.since.IsZero() || gap(b.stored, b.say.Time) || w.Revision < b.revision:
		b.since = time.Now()
	}
	b.stored, b.revision = b.say.Time, w.Revision
	return nil
}

// askTime reads the heartbeat back for the server's stamp on it. Deliveries tell
// the time too late: the first one may have waited for days.
func (b *beat) askTime(ctx context.Context) {
	if entries, err := b.store.Read(ctx, []driver.Key{b.key()}); err == nil && entries[0].Revision != 0 {
		b.clock.sample(time.Now(), entries[0].Time, true)
	}
}

// gap: this process, or the whole machine, stood still between two beats. The
// wall clock tells of a sleep that the monotonic one does not count.
func gap(last, now time.Time) bool {
	return now.Sub(last) > 2*beatEvery || now.Round(0).Sub(last.Round(0)) > 2*beatEvery
}

func (b *beat) run(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.complain(ctx, b.once(ctx, beatEvery)) // the gap is noted; the next one is tried in a second
		case <-ctx.Done():
			return
		}
	}
}

const notBeating = "heartbeat not stored: other workers may take this one for dead"

func (b *beat) complain(ctx context.Context, err error) {
	if err == nil {
		b.complaints.Over("", notBeating)
	} else if ctx.Err() == nil {
		b.complaints.Say("", Complaint{Level: slog.LevelWarn, Says: notBeating, Over: "heartbeats are stored again", Err: err})
	}
}

// last takes the worker off the list of the living.
func (b *beat) last(ctx context.Context) error {
	w := b.store.Write(ctx, []driver.Write{{Key: b.key(), Expect: driver.Unconditional, Delete: true}})[0]
	if w.Err != nil {
		return fmt.Errorf("dispatch: last word of %s: %w", b.worker.Name, w.Err)
	}
	return nil
}

// alive reports whether a worker may be alive. It is dead when its heartbeat is
// missing, and ours have been stored without a gap for as long as one is seen:
// before that, after a start, a reconnect or a server's restart, the heartbeat
// may be missing only because nobody's could be stored. So it may when our own last
// one is old: the whole machine may have stood still until now. And where ours is
// missing too, or older than it was, the store has lost them all.
func (b *beat) alive(ctx context.Context, incarnation string) bool {
	entries, err := b.store.ReadLatest(ctx, []driver.Key{{Space: driver.Workers, Name: incarnation}, b.key()}) // a replica may not have them yet
	if err != nil || entries[0].Revision != 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	return b.since.IsZero() || gap(b.stored, now) || now.Sub(b.since) < driver.HeartbeatTTL || entries[1].Revision < b.revision
}

// Workers gives the heartbeats of those that are alive.
func (q *Queue) Workers(ctx context.Context) ([]Heartbeat, error) {
	var beats []Heartbeat
	for e, err := range q.store.List(ctx, driver.Query{Space: driver.Workers}) {
		if err != nil {
			return nil, fmt.Errorf("dispatch: list workers: %w", err)
		}
		var h Heartbeat
		if e.Key == sweeperKey {
			continue
		}
		if json.Unmarshal(e.Value, &h) == nil {
			beats = append(beats, h)
		}
	}
	return beats, nil
}
