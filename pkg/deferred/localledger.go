package deferred

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"sync"
	"time"
)

// local is the ledger of one deferred that lives in this process.
type local struct {
	cancel context.CancelCauseFunc // nil when there is nothing to cancel

	mu      sync.Mutex
	record  Record // its id never changes
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

// settle keeps the first outcome, and gives the one that it has: a cancelled
// deferred stays cancelled.
func (l *local) settle(o Outcome) (first Outcome) {
	l.update(func() {
		if !l.record.State.Settled() {
			l.record.State, l.record.Result, l.record.Failure = o.State, o.Result, o.Failure
			l.record.Settled = time.Now()
		}
		first = l.record.Outcome()
	})
	return first
}

func (l *local) read(id ID) (Record, map[string]Note, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id != l.record.ID {
		return Record{}, nil, nil, ErrNotFound
	}
	return l.record, maps.Clone(l.notes), l.changed, nil
}

// Record implements [Ledger].
func (l *local) Record(_ context.Context, id ID) (Record, error) {
	r, _, _, err := l.read(id)
	return r, err
}

// Await implements [Ledger].
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

// Do implements [Ledger].
func (l *local) Do(_ context.Context, c Command) error {
	if _, _, _, err := l.read(c.ID); err != nil {
		return err
	}
	if c.Verb != Cancel {
		return fmt.Errorf("deferred: %q is no command for a deferred of this process", string(c.Verb))
	}
	if o := l.settle(Outcome{State: Cancelled, Failure: CancelFailure(c.Reason)}); o.State != Cancelled {
		return &SettledError{ID: c.ID, State: o.State, Outcome: o}
	}
	if l.cancel != nil {
		l.cancel(ErrCancelled)
	}
	return nil
}

// Annotate implements [Ledger].
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

// localAttempt is what the function has of its ledger: what it leaves behind says
// nothing more after the outcome.
type localAttempt struct{ *local }

// Annotate implements [Ledger].
func (l localAttempt) Annotate(ctx context.Context, id ID, n Note) error {
	if r, _, _, err := l.read(id); err == nil && r.State.Settled() {
		return fmt.Errorf("deferred: annotate: the attempt has ended: %w", ErrLost)
	}
	return l.local.Annotate(ctx, id, n)
}

// Annotations implements [Ledger].
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

// Watch implements [Ledger].
func (l *local) Watch(ctx context.Context, id ID) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		shown := seen{notes: map[string]Note{}}
		for {
			r, notes, changed, err := l.read(id)
			if err != nil {
				yield(Change{}, err)
				return
			}
			for _, c := range shown.news(r, notes) {
				if !yield(c, nil) {
					return
				}
			}
			if r.State.Settled() {
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

// seen is what a watcher has been shown.
type seen struct {
	state State
	notes map[string]Note
}

// news gives what differs from what was shown: notes first, since nothing comes
// after a settled record. Values are compared: two may be written at one time.
func (s *seen) news(r Record, notes map[string]Note) (changes []Change) {
	for key, n := range notes {
		if old := s.notes[key]; !old.Time.Equal(n.Time) || !bytes.Equal(old.Value, n.Value) {
			changes = append(changes, Change{Note: &n})
		}
	}
	if s.state != r.State {
		changes = append(changes, Change{Record: &r})
	}
	s.state, s.notes = r.State, notes
	return changes
}
