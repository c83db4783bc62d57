package workerpool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
)

// Defaults of a pool.
const (
	DefaultSlots = 10
	DefaultGrace = 10 * time.Second
)

// A Pool performs calls, several at once. Only Source and Mux must be set. The
// fields are not to be changed while the pool runs.
type Pool struct {
	Source deferred.Source
	Mux    *Mux
	Name   string   // of the worker, for people; "" is the host's name
	Slots  int      // how many handlers run at once; 0 is DefaultSlots
	Queues []string // the queues it serves; none is the default queue
	// Accept decides whether to take a call at the moment of fetching, and if
	// not, why. It is asked about one call after the other, so it must be quick.
	// Nil takes every call.
	Accept func(deferred.Offer) (accept bool, reason string)
	// Grace is how long a stopping pool lets running handlers finish before it
	// interrupts them; 0 is DefaultGrace, less than 0 none.
	Grace  time.Duration
	Logger *slog.Logger // nil is the default logger

	current atomic.Pointer[run]
}

// Run joins the source and performs calls until ctx ends. Then it stops: it
// takes no further call and gives back, untouched, those that have not started;
// lets running handlers finish for the time of Grace; interrupts those that
// still run with the cause [deferred.ErrStopping] and gives their calls back,
// counted as nothing, unless they succeeded in spite of it; abandons a handler
// that ignores that, whose lease then ends by itself; and leaves. That is no
// error. When the source fails, the pool stops in the same way and Run returns
// why. It may then be run again.
func (p *Pool) Run(ctx context.Context) error {
	r, err := p.plan()
	if err != nil {
		return err
	}
	if !p.current.CompareAndSwap(nil, r) {
		return errors.New("workerpool: the pool runs already")
	}
	defer p.current.Store(nil)
	if r.feed, err = p.Source.Join(ctx, r.worker); err != nil {
		return fmt.Errorf("workerpool: join: %w", err)
	}
	// Claims and settlements outlive ctx, so that what runs can be finished.
	work, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	r.log.Info("worker joined", "incarnation", r.worker.Incarnation, "slots", len(r.slots), "lanes", len(r.lanes))
	r.open()
	err = r.fetch(ctx, work)
	r.stop(work, p.grace())
	return errors.Join(err, r.leave(work))
}

func (p *Pool) grace() time.Duration {
	if p.Grace == 0 {
		return DefaultGrace
	}
	return p.Grace
}

// plan checks the fields and makes of them what a run needs.
func (p *Pool) plan() (*run, error) {
	switch {
	case p.Source == nil:
		return nil, errors.New("workerpool: the pool has no source")
	case p.Mux == nil || len(p.Mux.handlers) == 0:
		return nil, errors.New("workerpool: the pool has no handlers; register some on its mux")
	case p.Slots < 0:
		return nil, fmt.Errorf("workerpool: a pool cannot have %d slots", p.Slots)
	}
	lanes, err := p.lanes()
	if err != nil {
		return nil, err
	}
	r := newRun(cmp.Or(p.Slots, DefaultSlots))
	r.accept = p.Accept
	r.worker = deferred.Worker{Name: p.Name, Incarnation: string(deferred.NewID()), Slots: len(r.slots), Lanes: lanes, Status: r.status}
	if r.worker.Name == "" {
		if r.worker.Name, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("workerpool: the pool has no name, and the host neither: %w", err)
		}
	}
	for _, l := range lanes {
		r.lanes[l] = newLane(l, p.Mux.wrapped(l.Name))
	}
	r.log = cmp.Or(p.Logger, slog.Default()).With("worker", r.worker.Name)
	return r, nil
}

// lanes are the names of the mux in each queue, the queues in their order.
func (p *Pool) lanes() ([]deferred.Lane, error) {
	queues := p.Queues
	if len(queues) == 0 {
		queues = []string{deferred.DefaultQueue}
	}
	var lanes []deferred.Lane
	for i, queue := range queues {
		if err := deferred.CheckQueue(queue); err != nil {
			return nil, fmt.Errorf("workerpool: %w", err)
		}
		if slices.Contains(queues[:i], queue) {
			return nil, fmt.Errorf("workerpool: the queue %q is named twice", queue)
		}
		for _, name := range p.Mux.Names() {
			lanes = append(lanes, deferred.Lane{Queue: queue, Name: name})
		}
	}
	return lanes, nil
}

// Running describes a handler that runs, one that is hung too.
type Running struct {
	ID      deferred.ID
	Lane    deferred.Lane
	Attempt int
	Since   time.Time
}

// Running lists what the pool performs at the moment, for people; what has run
// longest comes first.
func (p *Pool) Running() []Running {
	r := p.current.Load()
	if r == nil {
		return nil
	}
	var list []Running
	for i := range r.slots {
		if t := r.slots[i].task.Load(); t != nil {
			list = append(list, Running{ID: t.attempt.ID, Lane: t.attempt.Lane, Attempt: t.attempt.Number, Since: t.since})
		}
	}
	slices.SortFunc(list, func(a, b Running) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	return list
}
