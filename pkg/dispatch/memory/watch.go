package memory

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"zasync/pkg/dispatch/driver"
)

// watchBuffer is how far a watcher may fall behind before entries are lost to it.
const watchBuffer = 256

type watch struct{ entries chan driver.Entry }

// Watch implements [dispatch.Store]. A deletion is an entry with revision 0; the
// end of a time to live is not told.
func (s *Store) Watch(ctx context.Context, keys []driver.Key) (<-chan driver.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dispatch/memory: watch: %w", err)
	}
	w := &watch{entries: make(chan driver.Entry, watchBuffer)}
	keys = slices.Clone(keys)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		s.watches[k] = append(s.watches[k], w)
	}
	context.AfterFunc(ctx, func() { s.unwatch(w, keys) })
	return w.entries, nil
}

func (s *Store) unwatch(w *watch, keys []driver.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		others := slices.DeleteFunc(s.watches[k], func(o *watch) bool { return o == w })
		if len(others) == 0 {
			delete(s.watches, k)
			continue
		}
		s.watches[k] = others
	}
	close(w.entries) // under the lock, so that nobody sends any more
}

// tell gives an entry to those who watch its name, and to those who watch the
// wildcard that its name falls under.
func (s *Store) tell(e driver.Entry) {
	s.tellWatches(s.watches[e.Key], e)
	if i := strings.LastIndexByte(e.Name, '.'); i >= 0 {
		s.tellWatches(s.watches[driver.Key{Space: e.Space, Name: e.Name[:i] + ".*"}], e)
	}
}

func (s *Store) tellWatches(watches []*watch, e driver.Entry) {
	for _, w := range watches {
		own := e
		own.Value = bytes.Clone(e.Value)
		select {
		case w.entries <- own:
		default: // a watcher that does not read must not stop the writers
		}
	}
}
