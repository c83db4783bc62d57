package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
)

const (
	// insistFor is for how long something is repeated without any success where the
	// context of the caller has no end. An election takes a few seconds.
	insistFor = 10 * time.Second
	// The waits between tries double from the first to the last.
	insistFirst = 20 * time.Millisecond
	insistLast  = time.Second
)

// tries are those of one thing that a caller asks for. They go on for as long as the
// server cannot do it or does not answer, and the caller's context lasts.
type tries struct {
	since time.Time // of the first one, or of the last success
	wait  time.Duration
}

func newTries() *tries { return &tries{since: time.Now(), wait: insistFirst} }

// gained: a try had some success, so patience begins anew.
func (t *tries) gained() { t.since = time.Now() }

// again waits before the next try, and reports whether there is one after this error.
func (t *tries) again(ctx context.Context, err error) bool { return retriable(err) && t.more(ctx) }

// more waits before the next try, and reports whether there is time for one.
func (t *tries) more(ctx context.Context) bool {
	if _, ends := ctx.Deadline(); !ends && time.Since(t.since)+t.wait > insistFor {
		return false
	}
	wait := t.wait
	t.wait = min(2*t.wait, insistLast)
	return liveness.Pause(ctx, wait) == nil
}

// retriable: the same may succeed soon.
func retriable(err error) bool {
	return !hopeless(err) && (errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrUnknown))
}

// ofAll is what the error of the last try says of all of them: what one of them may
// have stored is not undone by the refusal of another.
func ofAll(ctx context.Context, maybe bool, last error) error {
	last = withCause(ctx, last)
	var other *deferred.IDInUseError // then none of them is
	if !maybe || errors.Is(last, driver.ErrUnknown) || errors.As(last, &other) {
		return last
	}
	return fmt.Errorf("%w; the last try: %w", driver.ErrUnknown, last)
}

// withCause adds to an error that the caller's time is over.
func withCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", err, cause)
	}
	return err
}

// insist does again what stores nothing, or may be done twice, while the server cannot
// do it.
func insist(ctx context.Context, do func() error) error {
	t := newTries()
	for {
		err := do()
		if err == nil || !t.again(ctx, err) {
			return err
		}
	}
}
