package liveness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

const (
	// insistFor is the patience of a caller whose context has no deadline. An election
	// takes a few seconds.
	insistFor = 10 * time.Second
	// The pauses double from the first to the last.
	insistFirst = 20 * time.Millisecond
	insistLast  = time.Second
)

// Tries repeat one request of a caller while the server cannot do it or does not answer,
// for as long as the caller's context lasts.
type Tries struct {
	since time.Time // the first try, or the last one with some success
	wait  time.Duration
}

// NewTries begins with the first try.
func NewTries() *Tries { return &Tries{since: time.Now(), wait: insistFirst} }

// Gained notes that a try had some success: patience begins anew.
func (t *Tries) Gained() { t.since = time.Now() }

// Again waits before the next try, and reports whether there is one after this error.
func (t *Tries) Again(ctx context.Context, err error) bool { return Retriable(err) && t.More(ctx) }

// More waits before the next try, and reports whether there is time for one.
func (t *Tries) More(ctx context.Context) bool {
	if _, ends := ctx.Deadline(); !ends && time.Since(t.since)+t.wait > insistFor {
		return false
	}
	wait := t.wait
	t.wait = min(2*t.wait, insistLast)
	return Pause(ctx, wait) == nil
}

// Retriable reports whether the same request may succeed soon.
func Retriable(err error) bool {
	return !Hopeless(err) && (errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrUnknown))
}

// OfAll is the error of all tries. If one of them may have stored something, the refusal of
// the last one does not undo that.
func OfAll(ctx context.Context, maybe bool, last error) error {
	last = WithCause(ctx, last)
	var other *deferred.IDInUseError // then nothing is stored
	if !maybe || errors.Is(last, driver.ErrUnknown) || errors.As(last, &other) {
		return last
	}
	return fmt.Errorf("%w; the last try: %w", driver.ErrUnknown, last)
}

// WithCause adds to an error why the caller's context ended.
func WithCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// Insist repeats a request while the server cannot do it. The request stores nothing, or
// may be done twice.
func Insist(ctx context.Context, do func() error) error {
	t := NewTries()
	for {
		err := do()
		if err == nil || !t.Again(ctx, err) {
			return err
		}
	}
}

// Hopeless reports whether an error stays until a person does something about it.
func Hopeless(err error) bool {
	return errors.Is(err, driver.ErrNotPermitted) || errors.Is(err, driver.ErrClosed) || errors.Is(err, driver.ErrMissing)
}
