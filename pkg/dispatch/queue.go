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
	// MaxDeaths is how many workers may die with a call before it fails as
	// poison. 0 is 3.
	MaxDeaths int
	// KeepSucceeded and KeepOthers are how long a settled record is kept. 0 is
	// one hour, and seven days.
	KeepSucceeded, KeepOthers time.Duration
	// InlineResult is how many bytes of another deferred's result are copied into
	// the record of one that takes it over, or of each member into the list of a
	// join. Larger ones are referred to. 0 is 4 KiB.
	InlineResult int
	// ParentGrace is how long a callback waits for a parent that nobody has
	// seen before it fails. 0 is ten minutes.
	ParentGrace time.Duration
	// UnhandledGrace is how long a failure may go without anybody who sees it
	// before it counts as unhandled. 0 is one minute.
	UnhandledGrace time.Duration
	// MaxRecords bounds the settled records: when there are more, those that
	// nothing needs any more go before their time: those that succeeded, the oldest
	// first, and if that is not enough the oldest of the others. 0 is a million.
	MaxRecords int
	// SweepEvery is how often one of the workers looks for what needs a hand:
	// schedules that are overdue, and too many records. 0 is one minute.
	SweepEvery time.Duration
	// RetryDelay gives the wait before the next attempt after so many failures.
	// Nil doubles from one second to an hour, give or take a tenth.
	RetryDelay func(failures int) time.Duration
	// Logger is told what workers of this queue do. Nil is slog.Default().
	Logger *slog.Logger
	// Seams is closed with the queue. It is for whoever makes the store and the broker
	// for one queue only, as jetstream.Open does. Nil leaves them open.
	Seams io.Closer
}

// DefaultLease is how long a delivery is a worker's without its word.
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

// A Queue keeps deferreds. It is safe for concurrent use; everything that must
// last is behind its seams, so any number of queues may share them.
type Queue struct {
	records *records.Records
	config  Config
	log     *slog.Logger
	hub     *hub
	voice   voice
	life    *life
}

// What a queue is to callers and to workers.
var (
	_ deferred.Submitter = (*Queue)(nil)
	_ deferred.Ledger    = (*Queue)(nil)
	_ deferred.Source    = (*Queue)(nil)
)

// New makes a queue over a pair of seams.
func New(s driver.Store, b driver.Broker, c Config) *Queue {
	c = c.withDefaults()
	l := newLife()
	rs := &records.Records{
		Store: s, Broker: b, Log: c.Logger, Clock: liveness.NewClock(),
		Keeping: protocol.Retention{Succeeded: c.KeepSucceeded, Others: c.KeepOthers},
	}
	return &Queue{records: rs, config: c, log: c.Logger, hub: newHub(s, l), life: l}
}

// Open gives the handle of an id, whether or not anything is known of it yet.
func (q *Queue) Open(id deferred.ID) *deferred.Deferred { return deferred.Open(q, id) }
