package memory

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"time"

	"zasync/pkg/dispatch/driver"
)

// A Store is a [dispatch.Store] in memory. [New] makes one.
type Store struct {
	mu       sync.Mutex
	revision uint64 // of the latest write
	spaces   map[driver.Space]*space
	watches  map[driver.Key][]*watch // by the key as it was asked for
}

// A space has its entries by name, and in the order of their revisions.
type space struct {
	entries map[string]*entry
	journal journal[entry]
}

type entry struct {
	driver.Entry
	end *time.Timer // of its time to live; nil if it has none
}

func newStore() *Store {
	return &Store{spaces: make(map[driver.Space]*space), watches: make(map[driver.Key][]*watch)}
}

// Write implements [dispatch.Store].
func (s *Store) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	answers := make([]driver.Written, len(writes))
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range writes {
		if err := ctx.Err(); err != nil {
			answers[i].Err = fmt.Errorf("dispatch/memory: write: %w", err)
			continue
		}
		answers[i].Revision, answers[i].Err = s.write(&writes[i])
	}
	return answers
}

func (s *Store) write(w *driver.Write) (uint64, error) {
	if w.TTL < 0 || w.TTL%time.Second != 0 {
		return 0, fmt.Errorf("dispatch/memory: write %s %q: time to live %v is not in whole seconds", w.Space, w.Name, w.TTL)
	}
	if len(w.Value) > maxSize {
		return 0, fmt.Errorf("dispatch/memory: write %s %q: %w", w.Space, w.Name, driver.ErrTooLarge)
	}
	sp := s.space(w.Space)
	old := sp.entries[w.Name]
	if w.Expect != driver.Unconditional && w.Expect != old.revision() {
		return 0, driver.ErrConflict
	}
	sp.remove(old)
	s.revision++
	e := driver.Entry{Key: w.Key}
	if !w.Delete {
		e.Value, e.Revision, e.Time = bytes.Clone(w.Value), s.revision, time.Now()
		s.add(sp, e, timeToLive(w))
	}
	s.tell(e)
	return s.revision, nil
}

func timeToLive(w *driver.Write) time.Duration {
	if w.Space == driver.Workers && w.TTL == 0 {
		return driver.HeartbeatTTL
	}
	return w.TTL
}

func (s *Store) add(sp *space, stored driver.Entry, ttl time.Duration) {
	e := &entry{Entry: stored}
	if ttl > 0 {
		e.end = time.AfterFunc(ttl, func() { s.expire(sp, e) })
	}
	sp.entries[e.Name] = e
	sp.journal.add(e.Revision, e)
}

// expire removes e, unless a write came between the end of its time and here.
func (s *Store) expire(sp *space, e *entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sp.entries[e.Name] == e {
		sp.remove(e)
	}
}

func (s *Store) space(name driver.Space) *space {
	sp := s.spaces[name]
	if sp == nil {
		sp = &space{entries: make(map[string]*entry)}
		s.spaces[name] = sp
	}
	return sp
}

func (sp *space) remove(e *entry) {
	if e == nil {
		return
	}
	if e.end != nil {
		e.end.Stop()
	}
	delete(sp.entries, e.Name)
	sp.journal.strike(e.Revision)
}

func (e *entry) revision() uint64 {
	if e == nil {
		return 0
	}
	return e.Revision
}

// copy gives the entry to a caller, who may do with the bytes what he likes.
func (e *entry) copy() driver.Entry {
	c := e.Entry
	c.Value = bytes.Clone(c.Value)
	return c
}

// Read implements [dispatch.Store].
func (s *Store) Read(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("dispatch/memory: read: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := make([]driver.Entry, len(keys))
	for i, k := range keys {
		entries[i].Key = k
		if e := s.space(k.Space).entries[k.Name]; e != nil {
			entries[i] = e.copy()
		}
	}
	return entries, nil
}

// ReadLatest implements [dispatch.Store]: there is one map only.
func (s *Store) ReadLatest(ctx context.Context, keys []driver.Key) ([]driver.Entry, error) {
	return s.Read(ctx, keys)
}

// List implements [dispatch.Store]. What is written while the list is read may
// be in it or not.
func (s *Store) List(ctx context.Context, q driver.Query) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(driver.Entry{}, fmt.Errorf("dispatch/memory: list: %w", err))
			return
		}
		for _, e := range s.selected(q) {
			if !yield(e.copy(), nil) {
				return
			}
		}
	}
}

// Count tells how many entries a space has.
func (s *Store) Count(_ context.Context, space driver.Space) (int, error) {
	return len(s.selected(driver.Query{Space: space})), nil
}

// selected gives entries, which never change, so that they can be read unlocked.
func (s *Store) selected(q driver.Query) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*entry
	for e := range s.space(q.Space).journal.after(q.After) {
		if strings.HasPrefix(e.Name, q.Prefix) {
			found = append(found, e)
		}
	}
	return found
}
