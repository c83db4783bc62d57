package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/liveness"
	"zasync/pkg/dispatch/internal/records"
)

// Watch follows the record and the annotations until the deferred has settled. A caller
// that is shown the outcome has seen it, like a caller that has waited. Watch goes on and
// ends as [Queue.Await] does.
func (q *Queue) Watch(ctx context.Context, id deferred.ID) iter.Seq2[deferred.Change, error] {
	return func(yield func(deferred.Change, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		w := &watcher{queue: q, id: id, yield: yield, shown: map[driver.Key]uint64{}}
		err := cmp.Or(q.life.check(), id.Check())
		if err == nil {
			err = w.follow(ctx)
		}
		if err != nil {
			yield(deferred.Change{}, fmt.Errorf("dispatch: watch %s: %w", id, err))
		}
	}
}

// watcher shows each revision of an entry once, and no older revision after it.
type watcher struct {
	queue   *Queue
	id      deferred.ID
	yield   func(deferred.Change, error) bool
	shown   map[driver.Key]uint64
	record  deferred.Record     // the latest, shown or not
	changes <-chan driver.Entry // nil without a watch
}

// follow shows the stored entries and each change, until there is nothing more to watch or
// the caller stops. Watch shows its error last.
func (w *watcher) follow(ctx context.Context) error {
	if err := w.listen(ctx); err != nil {
		return err
	}
	var err error
	if w.record, err = w.queue.Record(ctx, w.id); errors.Is(err, deferred.ErrNotFound) {
		w.record.Submitted = w.queue.records.Clock.Now() // annotations that stand there now are left over
	}
	tick := time.NewTicker(reread)
	defer tick.Stop()
	more, err := w.read(ctx)
	for more && err == nil {
		select {
		case e, ok := <-w.changes:
			if ok {
				more = w.show(ctx, e)
				continue
			}
			w.changes = nil // the read tells why
			more, err = w.read(ctx)
		case <-tick.C:
			if err = w.listen(ctx); err == nil {
				more, err = w.read(ctx)
			}
		case <-w.queue.life.over:
			return driver.ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return err
}

// listen begins a watch if there is none. Without a watch, follow still reads.
func (w *watcher) listen(ctx context.Context) error {
	if w.changes != nil {
		return nil
	}
	changes, err := w.queue.records.Store.Watch(ctx, []driver.Key{records.Key(w.id), records.NoteKey(w.id, "*")})
	if liveness.Hopeless(err) {
		return err
	}
	w.changes = changes
	return nil
}

// read shows the stored entries. more is false when there is nothing more to watch. The
// annotations come first, so that those of a settled deferred are seen. An entry that
// cannot be read for the moment is read later.
func (w *watcher) read(ctx context.Context) (more bool, err error) {
	entries, err := w.queue.records.Store.Read(ctx, []driver.Key{records.Key(w.id)})
	switch {
	case liveness.Hopeless(err):
		return false, err
	case err != nil:
		return true, nil // the server may be away
	}
	for e, err := range w.queue.records.Store.List(ctx, driver.Query{Space: driver.Notes, Prefix: string(w.id) + "."}) {
		if err == nil && !w.show(ctx, e) {
			return false, nil
		}
	}
	return entries[0].Revision == 0 || w.show(ctx, entries[0]), nil
}

func (w *watcher) show(ctx context.Context, e driver.Entry) bool {
	if e.Revision <= w.shown[e.Key] {
		return true
	}
	w.shown[e.Key] = e.Revision
	if e.Space == driver.Notes {
		n, err := records.DecodeNote(e, w.record.Attempt)
		return err != nil || records.OfEarlierDeferred(e, &w.record) || w.yield(deferred.Change{Note: &n}, nil)
	}
	var r deferred.Record
	if json.Unmarshal(e.Value, &r) != nil {
		return true
	}
	w.record = r
	if r.State.Settled() { // sent first: the caller may stop right after it is shown the outcome
		w.queue.noticed(ctx, &r)
	}
	return w.yield(deferred.Change{Record: &r}, nil) && !r.State.Settled()
}
