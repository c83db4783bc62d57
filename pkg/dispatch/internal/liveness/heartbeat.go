package liveness

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
	"zasync/pkg/dispatch/internal/complaints"
)

// BeatEvery is the period of the heartbeats.
const BeatEvery = time.Second

// A Heartbeat is the report of a living worker about itself, once a second.
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

// A Monitor keeps the heartbeat of one worker going and judges the heartbeats of others.
type Monitor struct {
	store      driver.Store
	worker     deferred.Worker
	clock      *Clock
	complaints *complaints.Log
	Health     func() error // of the supply, once the worker has one
	Say        Heartbeat

	mu       sync.Mutex
	since    time.Time // every heartbeat since then was stored; zero: the last one was not
	stored   time.Time // the time of the last stored heartbeat
	revision uint64    // of the last stored heartbeat
}

func NewMonitor(s driver.Store, c *Clock, w deferred.Worker, log *complaints.Log) *Monitor {
	host, _ := os.Hostname()
	return &Monitor{store: s, clock: c, worker: w, complaints: log, Health: func() error { return nil }, Say: Heartbeat{
		Name: w.Name, Incarnation: w.Incarnation, Host: host, PID: os.Getpid(),
		Slots: w.Slots, Lanes: w.Lanes, Joined: time.Now().UTC(),
	}}
}

func (b *Monitor) Key() driver.Key {
	return driver.Key{Space: driver.Workers, Name: b.worker.Incarnation}
}

// Beat writes one heartbeat. A heartbeat that is not stored within its second is a gap:
// the heartbeats of other workers may be missing for the same reason.
func (b *Monitor) Beat(ctx context.Context, within time.Duration) error {
	b.Say.Time = time.Now()
	if b.worker.Status != nil {
		b.Say.WorkerStatus = b.worker.Status()
	}
	b.Say.Unhealthy = ""
	if err := b.Health(); err != nil {
		b.Say.Unhealthy = err.Error()
	}
	say := b.Say
	say.Time = say.Time.UTC()
	data, err := json.Marshal(say)
	if err != nil {
		return fmt.Errorf("dispatch: heartbeat: %w", err)
	}
	short, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	w := b.store.Write(short, []driver.Write{{Key: b.Key(), Value: data, Expect: driver.Unconditional}})[0]
	if w.Err == nil {
		b.askTime(short)
	}
	if err := b.note(w); err != nil {
		return fmt.Errorf("dispatch: heartbeat of %s: %w", b.worker.Name, err)
	}
	return nil
}

// note records whether a heartbeat was stored. A revision below the last one means that the
// store was made anew, and that the heartbeats of other workers are still missing.
func (b *Monitor) note(w driver.Written) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case w.Err != nil:
		b.since = time.Time{}
		return w.Err
	case b.since.IsZero() || gap(b.stored, b.Say.Time) || w.Revision < b.revision:
		b.since = time.Now()
	}
	b.stored, b.revision = b.Say.Time, w.Revision
	return nil
}

// askTime reads the heartbeat back for the server's stamp on it. Deliveries are no good
// first sample: a message may have waited for days.
func (b *Monitor) askTime(ctx context.Context) {
	if entries, err := b.store.Read(ctx, []driver.Key{b.Key()}); err == nil && entries[0].Revision != 0 {
		b.clock.Sample(time.Now(), entries[0].Time, true)
	}
}

// gap reports whether this process or its machine stood still between two beats. The wall
// clock counts the sleep of a machine, the monotonic clock does not.
func gap(last, now time.Time) bool {
	return now.Sub(last) > 2*BeatEvery || now.Round(0).Sub(last.Round(0)) > 2*BeatEvery
}

func (b *Monitor) Run(ctx context.Context) {
	tick := time.NewTicker(BeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.complain(ctx, b.Beat(ctx, BeatEvery)) // the next heartbeat follows in a second
		case <-ctx.Done():
			return
		}
	}
}

const notBeating = "heartbeat not stored: other workers may take this one for dead"

func (b *Monitor) complain(ctx context.Context, err error) {
	if err == nil {
		b.complaints.Over("", notBeating)
	} else if ctx.Err() == nil {
		b.complaints.Say("", complaints.Complaint{Level: slog.LevelWarn, Says: notBeating, Over: "heartbeats are stored again", Err: err})
	}
}

// Leave deletes the heartbeat of a worker that leaves.
func (b *Monitor) Leave(ctx context.Context) error {
	w := b.store.Write(ctx, []driver.Write{{Key: b.Key(), Expect: driver.Unconditional, Delete: true}})[0]
	if w.Err != nil {
		return fmt.Errorf("dispatch: last word of %s: %w", b.worker.Name, w.Err)
	}
	return nil
}

// Alive reports whether another worker may be alive. It is dead when its heartbeat is
// missing and no other cause explains that. Other causes are:
//
//   - Our own heartbeats have not been stored for as long as a heartbeat lives: after a
//     start, a reconnect or a restart of the server, no heartbeat could be stored.
//   - Our own last heartbeat is old: this machine may have stood still until now.
//   - Our own heartbeat is missing too, or older than it was: the store has lost all.
func (b *Monitor) Alive(ctx context.Context, incarnation string) bool {
	entries, err := b.store.ReadLatest(ctx, []driver.Key{{Space: driver.Workers, Name: incarnation}, b.Key()}) // a replica may not have them yet
	if err != nil || entries[0].Revision != 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	return b.since.IsZero() || gap(b.stored, now) || now.Sub(b.since) < driver.HeartbeatTTL || entries[1].Revision < b.revision
}
