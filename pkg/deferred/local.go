package deferred

import (
	"context"
	"iter"
	"maps"
	"runtime/debug"
	"sync"
	"time"
)

// Go calls f in a goroutine of this process and gives its deferred: the same
// handle with no queue behind it. Cancel cancels f's context. Nothing survives
// the process.
func Go[R any](ctx context.Context, f func(ctx context.Context) (R, error)) *Deferred {
	ctx, cancel := context.WithCancelCause(ctx)
	l := newLocal(cancel)
	go func() {
		l.settle(run(WithAttempt(ctx, &Attempt{Offer: Offer{ID: l.record.ID}, Number: 1, Ledger: l}), f))
		cancel(nil)
	}()
	return Open(l, l.record.ID)
}

// Resolved gives a deferred that has succeeded with v.
func Resolved(v any) *Deferred {
	l := newLocal(nil)
	l.settle(outcomeOf(v, nil))
	return Open(l, l.record.ID)
}

// Rejected gives a deferred that has failed with err.
func Rejected(err error) *Deferred {
	l := newLocal(nil)
	l.settle(outcomeOf(nil, err))
	return Open(l, l.record.ID)
}

func run[R any](ctx context.Context, f func(context.Context) (R, error)) (o Outcome) {
	defer func() {
		if v := recover(); v != nil {
			o = PanicOutcome(v, debug.Stack())
		}
	}()
	v, err := f(ctx)
	return outcomeOf(v, err)
}

func outcomeOf(v any, err error) Outcome {
	if err == nil {
		var result Content
		if result, err = Encode(v); err == nil {
			return Outcome{State: Succeeded, Result: result}
		}
	}
	return Outcome{State: Failed, Failure: FailureOf(err)}
}

// local is the ledger of one deferred that lives in this process.
type local struct {
	cancel context.CancelCauseFunc // nil when there is nothing to cancel

	mu      sync.Mutex
	record  Record
	notes   map[string]Note
	changed chan struct{} // closed, and made anew, at each change
}

func newLocal(cancel context.CancelCauseFunc) *local {
	now := time.Now()
	return &local{
		cancel:  cancel,
		record:  Record{ID: NewID(), State: Running, Attempt: 1, Seen: true, Submitted: now, Started: now},
		notes:   map[string]Note{},
		changed: make(chan struct{}),
	}
}

func (l *local) update(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.changed)
	l.changed = make(chan struct{})
}

// settle keeps the first outcome: a cancelled deferred stays cancelled.
func (l *local) settle(o Outcome) {
	l.update(func() {
		if !l.record.State.Settled() {
			l.record.State, l.record.Result, l.record.Failure = o.State, o.Result, o.Failure
			l.record.Settled = time.Now()
		}
	})
}

func (l *local) read(id ID) (Record, map[string]Note, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id != l.record.ID {
		return Record{}, nil, nil, ErrNotFound
	}
	return l.record, maps.Clone(l.notes), l.changed, nil
}

func (l *local) Record(_ context.Context, id ID) (Record, error) {
	r, _, _, err := l.read(id)
	return r, err
}

func (l *local) Await(ctx context.Context, id ID) (Record, error) {
	for {
		r, _, changed, err := l.read(id)
		if err != nil || r.State.Settled() {
			return r, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Record{}, context.Cause(ctx)
		}
	}
}

func (l *local) Do(_ context.Context, c Command) error {
	r, _, _, err := l.read(c.ID)
	if err != nil {
		return err
	}
	if r.State.Settled() && r.State != Cancelled {
		return &SettledError{ID: c.ID, State: r.State}
	}
	l.settle(Outcome{State: Cancelled, Failure: CancelFailure(c.Reason)})
	if l.cancel != nil {
		l.cancel(ErrCancelled)
	}
	return nil
}

// CancelFailure is the failure of a deferred that was cancelled for a reason,
// which may be empty.
func CancelFailure(reason string) *Failure {
	if reason == "" {
		reason = "cancelled by a command"
	}
	return &Failure{Kind: KindCancelled, Message: clip(reason, maxMessage)}
}

func (l *local) Annotate(_ context.Context, id ID, n Note) error {
	if err := n.Check(); err != nil {
		return err
	}
	if _, _, _, err := l.read(id); err != nil {
		return err
	}
	n.Attempt, n.Time = 1, time.Now()
	l.update(func() { l.notes[n.Key] = n })
	return nil
}

func (l *local) Annotations(_ context.Context, id ID) iter.Seq2[Note, error] {
	return func(yield func(Note, error) bool) {
		_, notes, _, err := l.read(id)
		if err != nil {
			yield(Note{}, err)
			return
		}
		for _, n := range notes {
			if !yield(n, nil) {
				return
			}
		}
	}
}

func (l *local) Watch(ctx context.Context, id ID) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		shown := map[string]time.Time{}
		for {
			r, notes, changed, err := l.read(id)
			if err != nil {
				yield(Change{}, err)
				return
			}
			for key, n := range notes {
				if at, ok := shown[key]; ok && at.Equal(n.Time) {
					continue
				}
				shown[key] = n.Time
				if !yield(Change{Note: &n}, nil) {
					return
				}
			}
			if !yield(Change{Record: &r}, nil) || r.State.Settled() {
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				yield(Change{}, context.Cause(ctx))
				return
			}
		}
	}
}
