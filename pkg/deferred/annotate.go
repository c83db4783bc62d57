package deferred

import (
	"context"
	"fmt"
)

// AwaitAnnotation waits until the annotation has a value that until takes; nil
// takes any. A value that was there before counts. A [*SettledError] says that
// the deferred has settled without one.
func (d *Deferred) AwaitAnnotation(ctx context.Context, key string, until func(Note) bool) (Note, error) {
	takes := func(n Note) bool { return n.Key == key && (until == nil || until(n)) }
	var last Record
	for c, err := range d.Watch(ctx) {
		switch {
		case err != nil:
			return Note{}, err
		case c.Record != nil:
			last = *c.Record
		case takes(*c.Note):
			return *c.Note, nil
		}
	}
	// What was written last may have come after the end: look once more.
	for n, err := range d.Annotations(ctx) {
		switch {
		case err != nil && (n.Key == "" || n.Key == key):
			return Note{}, err
		case err == nil && takes(n):
			return n, nil
		}
	}
	return Note{}, &SettledError{ID: d.id, State: last.State, Outcome: last.Outcome()}
}

// CheckpointKey is the annotation under which an attempt saves by convention how
// far it has come, for the next one to go on from.
const CheckpointKey = "checkpoint"

// SaveCheckpoint sets the checkpoint of the deferred that the handler with this
// context performs. It is stored when SaveCheckpoint returns nil.
func SaveCheckpoint(ctx context.Context, v any) error { return Annotate(ctx, CheckpointKey, v) }

// LoadCheckpoint reads into what v points to the checkpoint that an earlier
// attempt has saved; false when there is none.
func LoadCheckpoint(ctx context.Context, v any) (found bool, err error) {
	a := AttemptFrom(ctx)
	if a == nil {
		return false, ErrNoAttempt
	}
	if len(a.Checkpoint) == 0 {
		return false, nil
	}
	if err := JSON(a.Checkpoint).Decode(v); err != nil {
		return false, fmt.Errorf("deferred: checkpoint: %w", err)
	}
	return true, nil
}
