package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/complaints"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/maintenance"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
	"zasync/pkg/dispatch/internal/wire"
)

// feed is one worker's supply of calls, and its share of the housekeeping.
//
// A feed holds a delivery from [driver.Subscription.Next] until it lets go of it, and
// renews its lease until then. It lets go when the delivery is done or given back. If
// another worker has taken the call, it drops the delivery and sends nothing to the
// broker.
type feed struct {
	records *records.Records
	config  Config
	hub     *hub            // of the queue: attempts watch their records
	ledger  deferred.Ledger // the queue, for handlers
	closed  <-chan struct{} // closed with the queue
	worker  deferred.Worker
	log     *slog.Logger
	wrong   *complaints.Log
	calls   driver.Subscription
	house   driver.Subscription
	offers  chan deferred.Offer
	broken  chan error // the error that ended the supply
	beat    *liveness.Monitor
	duties  *maintenance.Janitor
	leases  leases
	commit  chan struct{}                           // bounds the outcomes being committed, which hold no credit
	work    sync.WaitGroup                          // everything that the feed began with a delivery
	late    sync.WaitGroup                          // the same, begun since the worker leaves
	intake  sync.WaitGroup                          // the loops that take deliveries
	loops   sync.WaitGroup                          // the loops that serve the taken deliveries
	launch  func(do func(ctx context.Context)) bool // begins work that Leave waits for; false: Leave waits already
	during  func(do func(ctx context.Context))      // the same, or does the work before it returns
	close   context.CancelFunc
	stop    context.CancelFunc

	mu      sync.Mutex
	held    map[deferred.ID]*holding // calls performed here, or being claimed or settled
	suspect *holding                 // at most one at a time
	left    bool                     // Leave waits for work
	ended   bool                     // Leave waits for late, and nothing adds to it any more
}

const (
	joinLimit    = 10 * time.Second // for the first heartbeat: no other process relies on this worker yet
	offerBuffer  = 256
	commitWindow = 1024
	houseWindow  = 256
	dueWindow    = 8192 // calls on local timers, half a second's worth
)

// Join registers a worker. The worker also does its share of the work that belongs to
// no single worker: commands, delayed calls and calls that must wait.
func (q *Queue) Join(ctx context.Context, w deferred.Worker) (deferred.Feed, error) {
	host, _ := os.Hostname()
	if err := q.life.check(); err != nil {
		return nil, err
	}
	w.Name = cmp.Or(w.Name, host, "worker")
	w.Incarnation = cmp.Or(w.Incarnation, string(deferred.NewID()))
	f := &feed{
		records: q.records, config: q.config, hub: q.hub, ledger: q, closed: q.life.over, worker: w, log: q.log.With("worker", w.Name),
		offers: make(chan deferred.Offer, offerBuffer),
		broken: make(chan error, 2),
		commit: make(chan struct{}, commitWindow),
		held:   map[deferred.ID]*holding{},
		leases: newLeases(q.config.Lease),
	}
	f.wrong = complaints.New(f.log)
	f.beat = liveness.NewMonitor(q.records.Store, q.records.Clock, w, f.wrong)
	f.duties = &maintenance.Janitor{
		Records: q.records, Log: f.log, MaxRecords: q.config.MaxRecords, Every: q.config.SweepEvery, Turn: maintenance.NewTurn(q.records.Store, w.Incarnation),
	}
	if err := liveness.Insist(ctx, func() error { return f.beat.Beat(ctx, joinLimit) }); err != nil {
		return nil, err
	}
	var err error
	if f.calls, err = q.records.Broker.Subscribe(ctx); err != nil {
		return nil, err
	}
	if f.house, err = q.records.Broker.Subscribe(ctx); err != nil {
		return nil, errors.Join(err, f.calls.Close())
	}
	f.beat.Health = f.calls.Health
	// The loops run until Leave, not until the context of Join ends. Leave stops the
	// intake first, and the others when the taken deliveries are done.
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	intake, closeIntake := context.WithCancel(run)
	f.stop, f.close = stop, closeIntake
	f.launch = func(do func(context.Context)) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.left { // Leave waits only for work that began before it
			f.work.Go(func() { do(run) })
		}
		return !f.left
	}
	f.during = func(do func(context.Context)) {
		if f.launch(do) {
			return
		}
		f.mu.Lock()
		if !f.ended {
			f.late.Add(1)
			defer f.late.Done()
		}
		f.mu.Unlock()
		do(run)
	}
	f.loops.Go(func() { f.beat.Run(run) })
	f.loops.Go(func() { f.renew(run) })
	f.loops.Go(func() { f.watchOver(run) })
	f.loops.Go(func() { f.duties.Run(run) })
	f.loops.Go(func() { f.duties.Turn.Run(run) })
	f.intake.Go(func() { f.supply(intake, run) })
	f.intake.Go(func() { f.keepHouse(intake, run) })
	f.log.Debug("feed opened", "incarnation", w.Incarnation)
	return f, nil
}

func (f *feed) Want(lane deferred.Lane, n int) {
	f.calls.Want(driver.Lane{Route: driver.Ready, Queue: lane.Queue, Name: lane.Name}, n)
}

func (f *feed) Next(ctx context.Context) (deferred.Offer, error) {
	select {
	case o := <-f.offers:
		return o, nil
	case err := <-f.broken:
		return deferred.Offer{}, fmt.Errorf("dispatch: supply: %w", err)
	case <-f.closed:
		return deferred.Offer{}, fmt.Errorf("dispatch: supply: %w", driver.ErrClosed)
	case <-ctx.Done():
		return deferred.Offer{}, context.Cause(ctx)
	}
}

// supply turns deliveries into offers. It offers a first delivery with nothing to wait
// for before it reads the record, since the claim tells whether there is one. It looks
// at any other delivery first.
func (f *feed) supply(intake, ctx context.Context) {
	for {
		d, err := f.calls.Next(intake)
		if err != nil {
			if intake.Err() == nil {
				f.log.Error("supply of calls ended", "err", err)
				f.broken <- err
			}
			return
		}
		f.records.Clock.Observe(&d)
		f.leases.add(d)
		h := &holding{feed: f, delivery: d}
		c, err := wire.Decode(&d)
		if err != nil {
			f.handle(h, func() { f.malformed(ctx, h, err) })
			continue
		}
		h.call, h.digest = c, c.Digest()
		if d.Deliveries > 1 || c.Conditional() || wire.Foreign(&d) {
			f.handle(h, func() { f.examine(intake, h) })
			continue
		}
		if f.take(h) {
			f.offer(intake, h)
		} else {
			f.handle(h, func() { f.examine(intake, h) })
		}
	}
}

// examine reads the record. It offers the call, or does the action that is decided
// instead.
func (f *feed) examine(ctx context.Context, h *holding) {
	for {
		d, err := h.look(ctx)
		if err != nil {
			f.letCome(h, liveness.RedeliveryDelay(h.delivery.Deliveries), "cannot read the record", err)
			return
		}
		if !f.leases.kept(&h.delivery) {
			f.letGoSilently(h)
			return
		}
		if d.Action == protocol.Claim || d.Action == protocol.TakeOver {
			if !f.take(h) {
				continue // this worker has claimed another message of the id meanwhile
			}
			if h.suspicious() && !f.takeSuspect(h) {
				f.letCome(h, time.Second, "another suspect is performed here", nil)
				return
			}
			f.warnIfDone(h)
			f.offer(ctx, h)
			return
		}
		if f.carry(ctx, h, d) {
			return
		}
	}
}

// warnIfDone warns of a call that may run twice. A redelivered call without a record
// may have run before, and its acknowledgement been lost, if its message is older than
// such a record is kept. The worker performs it all the same: a call that runs twice is
// better than a lost one.
func (f *feed) warnIfDone(h *holding) {
	age := f.records.Clock.Now().Sub(h.delivery.Time)
	if h.Record == nil && h.delivery.Deliveries > 1 && age > cmp.Or(h.call.Keep, f.config.KeepSucceeded) {
		f.log.Warn("call may have been performed before: its message came again, and is older than its record would be kept",
			"id", h.delivery.ID, "name", h.delivery.Name, "age", age)
	}
}

func (f *feed) offer(ctx context.Context, h *holding) {
	d := &h.delivery
	o := deferred.Offer{
		ID: d.ID, Lane: deferred.Lane{Queue: d.Queue, Name: d.Name}, Labels: h.call.Labels, Size: len(d.Body),
		Submitted: h.call.Submitted, Deliveries: d.Deliveries, Backlog: d.Backlog,
		Suspect: h.suspicious(), Handle: h,
	}
	select {
	case f.offers <- o:
	case <-ctx.Done():
		f.letCome(h, 0, "the worker leaves", nil)
	}
}
