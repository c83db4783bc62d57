package workerpool

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
)

// patience is how long a call waits for a slot before it is given back. What is
// fetched ahead should wait about lookahead; when it waits so much longer, the
// slots have met long calls, and another worker may have a free one.
const patience = 250 * time.Millisecond

// run is a pool at work. Offers come from the fetch loop; each that is accepted
// has a goroutine of its own until it is settled, so that claims and settlements
// are under way together and the feed can send them in bulk.
type run struct {
	feed   deferred.Feed
	worker deferred.Worker
	accept func(deferred.Offer) (bool, string)
	lanes  map[deferred.Lane]*lane
	log    *slog.Logger

	slots    []slot
	free     chan *slot           // has room for all; who waits is served in turn
	suspect  atomic.Pointer[task] // that runs alone
	timers   sync.Pool            // of acquire; not global, for a timer belongs to its synctest bubble
	stopping chan struct{}
	tasks    sync.WaitGroup // that have not ended; a handler may outlive its task

	performed atomic.Uint64

	mu   sync.Mutex // also keeps the wishes of the lanes in order
	hung int        // slots whose handlers are
}

// A slot holds the task whose handler runs in it.
type slot struct{ task atomic.Pointer[task] }

type task struct {
	attempt *deferred.Attempt
	lane    *lane
	claimed time.Time
	since   time.Time
	cancel  context.CancelCauseFunc
	outcome deferred.Outcome // zero until the handler has returned
	fate    atomic.Int32
	waits   atomic.Int32 // for other deferreds, of its handler
}

// The fates of a task. Each is decided once, and whoever does so ends the task.
const (
	undecided = iota
	returned  // its handler did, and its own goroutine settles it
	hung      // it is settled while its handler goes on
	abandoned // by the stopping pool
)

// outlived: the task has ended, and its own goroutine goes on in its handler.
func (t *task) outlived() bool { return t.fate.Load() >= hung }

func newRun(slots int) *run {
	r := &run{
		lanes:    map[deferred.Lane]*lane{},
		slots:    make([]slot, slots),
		free:     make(chan *slot, slots),
		timers:   sync.Pool{New: func() any { return time.NewTimer(patience) }},
		stopping: make(chan struct{}),
	}
	for i := range r.slots {
		r.free <- &r.slots[i]
	}
	return r
}

func (r *run) status() deferred.WorkerStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return deferred.WorkerStatus{Running: len(r.slots) - len(r.free), Hung: r.hung, Performed: r.performed.Load()}
}

func (r *run) open() {
	for _, l := range r.worker.Lanes {
		r.lanes[l].open(r.feed, len(r.slots))
	}
}

// attend sees an offer through.
func (r *run) attend(ctx context.Context, l *lane, o deferred.Offer) {
	t := &task{lane: l}
	defer func() {
		if !t.outlived() {
			r.tasks.Done()
		}
	}()
	if o.Suspect {
		r.attendSuspect(ctx, t, &o)
		return
	}
	if !r.claim(ctx, t, &o) {
		return
	}
	s, reason := r.acquire(l)
	if s == nil {
		r.decline(ctx, &o, reason)
		return
	}
	r.perform(ctx, s, t)
}

// aloneTime is for how long a suspect runs alone: one that lives so long is not likely
// to kill its worker.
const aloneTime = 30 * time.Second

// attendSuspect claims only when a slot is free, and has one suspect at a time:
// should the process die with it, no other call is counted as having been there.
func (r *run) attendSuspect(ctx context.Context, t *task, o *deferred.Offer) {
	if !r.suspect.CompareAndSwap(nil, t) {
		r.decline(ctx, o, "another suspect is performed here")
		return
	}
	letOthers := func() { r.suspect.CompareAndSwap(t, nil) }
	defer letOthers()
	s, reason := r.acquire(t.lane)
	if s == nil {
		r.decline(ctx, o, reason)
		return
	}
	if !r.claim(ctx, t, o) {
		r.free <- s
		return
	}
	defer time.AfterFunc(aloneTime, letOthers).Stop()
	r.perform(ctx, s, t)
}

// Reasons for which the pool itself declines.
const (
	reasonStopping = "the worker is stopping"
	reasonBusy     = "no slot has become free here"
	reasonUnknown  = "it is not known whether it is to be performed still"
)

// acquire waits for a free slot; without one it says why.
func (r *run) acquire(l *lane) (*slot, string) {
	select {
	case s := <-r.free:
		return s, ""
	default:
	}
	timer := r.timers.Get().(*time.Timer)
	timer.Reset(patience)
	defer r.timers.Put(timer)
	defer timer.Stop()
	select {
	case s := <-r.free:
		return s, ""
	case <-r.stopping:
		return nil, reasonStopping
	case <-timer.C:
		l.jam()
		return nil, reasonBusy
	}
}
