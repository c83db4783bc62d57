package deferred

import "context"

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
		if err != nil || takes(n) {
			return n, err
		}
	}
	return Note{}, &SettledError{ID: d.id, State: last.State, Outcome: last.Outcome()}
}
