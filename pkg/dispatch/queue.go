package dispatch

import (
	"io"
	"log/slog"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
)

// Config is the policy of a queue. The zero Config is a good one.
type Config struct {
	// Lease is the broker's lease on a delivery, renewed four times within it.
	// 0 is DefaultLease.
	Lease time.Duration
	// MaxDeaths is how many workers may die with a call before the call fails as
	// poison. 0 is 3.
	MaxDeaths int
	// KeepSucceeded and KeepOthers are how long a settled record is kept. 0 is one
	// hour for the first, and seven days for the second.
	KeepSucceeded, KeepOthers time.Duration
	// InlineResult is how many bytes of a result are copied. A record copies the result
	// that it takes over from another deferred, and a join that of each member into its
	// list. The record refers to a larger result. 0 is 4 KiB.
	InlineResult int
	// ParentGrace is how long a callback waits for a parent that no worker has met
	// before the callback fails. 0 is ten minutes.
	ParentGrace time.Duration
	// UnhandledGrace is how long a failure may stand unseen before it counts as
	// unhandled. 0 is one minute.
	UnhandledGrace time.Duration
	// MaxRecords bounds the settled records. Beyond it, a worker deletes records that
	// nothing needs any more before their time: the oldest that succeeded, and if these
	// are too few the oldest of the others. 0 is a million.
	MaxRecords int
	// SweepEvery is how often one of the workers looks for overdue schedules, too many
	// records, and annotations without a record. 0 is one minute.
	SweepEvery time.Duration
	// RetryDelay gives the wait before the next attempt after so many failures. Nil
	// doubles the wait from one second to an hour, give or take a tenth.
	RetryDelay func(failures int) time.Duration
	// Logger receives the log of this queue's workers. Nil is slog.Default().
	Logger *slog.Logger
	// Seams is closed with the queue. A caller sets it that makes the store and the
	// broker for one queue only, as jetstream.Open does. Nil leaves them open.
	Seams io.Closer
}

// DefaultLease is how long a worker holds a delivery without a renewal.
const DefaultLease = 4 * time.Second

func (c Config) withDefaults() Config {
	orDefault(&c.Lease, DefaultLease)
	orDefault(&c.MaxDeaths, 3)
	orDefault(&c.KeepSucceeded, time.Hour)
	orDefault(&c.KeepOthers, 7*24*time.Hour)
	orDefault(&c.InlineResult, 4<<10)
	orDefault(&c.ParentGrace, 10*time.Minute)
	orDefault(&c.UnhandledGrace, time.Minute)
	orDefault(&c.MaxRecords, 1_000_000)
	orDefault(&c.SweepEvery, time.Minute)
	if c.RetryDelay == nil {
		c.RetryDelay = liveness.RetryDelay
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// A Queue keeps deferreds. It is safe for concurrent use. All lasting state is behind its
// seams, so any number of queues may share them.
type Queue struct {
	records *records.Records
	config  Config
	log     *slog.Logger
	hub     *hub
	voice   voice
	life    *life
}

// A Queue has these roles for callers and for workers.
var (
	_ deferred.Submitter = (*Queue)(nil)
	_ deferred.Ledger    = (*Queue)(nil)
	_ deferred.Source    = (*Queue)(nil)
)

// New makes a queue over a pair of seams: a store and a broker.
func New(s driver.Store, b driver.Broker, c Config) *Queue {
	c = c.withDefaults()
	l := newLife()
	rs := &records.Records{
		Store: s, Broker: b, Log: c.Logger, Clock: liveness.NewClock(),
		Keeping: protocol.Retention{Succeeded: c.KeepSucceeded, Others: c.KeepOthers},
	}
	return &Queue{records: rs, config: c, log: c.Logger, hub: newHub(s, l), life: l}
}

// Open gives the handle of an id, also if the id has no record and no message yet.
func (q *Queue) Open(id deferred.ID) *deferred.Deferred { return deferred.Open(q, id) }
