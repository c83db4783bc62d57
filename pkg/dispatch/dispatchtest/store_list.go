package dispatchtest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"zasync/pkg/dispatch/driver"

	"github.com/google/go-cmp/cmp"
)

// list gives the names of the query's entries.
func (s shelf) list(q driver.Query) []string {
	s.t.Helper()
	ctx, cancel := patiently(s.t)
	defer cancel()
	var names []string
	last := q.After
	for e, err := range s.List(ctx, q) {
		if err != nil {
			s.t.Fatalf("list: %v", err)
		}
		if e.Revision <= last {
			s.t.Fatalf("list: revision %d follows %d", e.Revision, last)
		}
		last = e.Revision
		names = append(names, e.Name)
	}
	return names
}

func (s shelf) lists(q driver.Query, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, s.list(q), whenever); diff != "" {
		s.t.Fatalf("list of %+v (-want +got):\n%s", q, diff)
	}
}

func listsByRevision(t *testing.T, s shelf) {
	s.put(note("a.x"), "1")
	s.put(note("b.x"), "2")
	y := s.put(note("a.y"), "3")
	s.put(note("ab.x"), "4")
	s.put(note("a.z"), "5")
	s.put(note("a.x"), "6")

	s.lists(driver.Query{Space: driver.Notes}, "b.x", "a.y", "ab.x", "a.z", "a.x")
	s.lists(driver.Query{Space: driver.Notes, Prefix: "a."}, "a.y", "a.z", "a.x")
	s.lists(driver.Query{Space: driver.Notes, Prefix: "a.", After: y}, "a.z", "a.x")
	s.lists(driver.Query{Space: driver.Notes, After: y}, "ab.x", "a.z", "a.x")
	s.lists(driver.Query{Space: driver.Notes, Prefix: "c."})

	for e, err := range s.List(t.Context(), driver.Query{Space: driver.Notes}) {
		if err != nil || string(e.Value) != "2" || e.Key != note("b.x") {
			t.Fatalf("first entry is %+v, %v", e, err)
		}
		break
	}
}

func listsMany(t *testing.T, s shelf) {
	ctx, cancel := patiently(t)
	defer cancel()
	var writes []driver.Write
	var want []string
	for i := range 2500 {
		want = append(want, fmt.Sprintf("r%04d", i))
		writes = append(writes, driver.Write{Key: record(want[i]), Value: []byte("v")})
	}
	for _, w := range s.Write(ctx, writes) {
		if w.Err != nil {
			t.Fatalf("write: %v", w.Err)
		}
	}
	got := s.list(driver.Query{Space: driver.Records})
	slices.Sort(got) // the writes of one call may be stored in any order
	if diff := cmp.Diff(want, got, whenever); diff != "" {
		t.Fatalf("names (-want +got):\n%s", diff)
	}
}

func (s shelf) watch(ctx context.Context, keys ...driver.Key) <-chan driver.Entry {
	s.t.Helper()
	entries, err := s.Watch(ctx, keys)
	if err != nil {
		s.t.Fatalf("watch: %v", err)
	}
	return entries
}

// sees waits for an entry of a watch.
func (s shelf) sees(entries <-chan driver.Entry, k driver.Key, value string) {
	s.t.Helper()
	ctx, cancel := patiently(s.t)
	defer cancel()
	select {
	case e, open := <-entries:
		if !open || e.Key != k || string(e.Value) != value || e.Revision == 0 {
			s.t.Fatalf("watch gave %+v (open: %t), want %v with %q", e, open, k, value)
		}
	case <-ctx.Done():
		s.t.Fatalf("watch saw no %v with %q", k, value)
	}
}

func watchesKeys(t *testing.T, s shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.put(record("a"), "before")
	entries := s.watch(ctx, record("a"), record("c"))
	s.put(record("b"), "not watched")
	s.put(note("a.a"), "not watched")
	rev := s.put(record("a"), "one")
	s.sees(entries, record("a"), "one")
	s.must(driver.Write{Key: record("a"), Value: []byte("two"), Expect: rev})
	s.sees(entries, record("a"), "two")
	s.put(record("c"), "three")
	s.sees(entries, record("c"), "three")
}

func watchesWildcards(t *testing.T, s shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	entries := s.watch(ctx, record("a"), note("a.*"))
	s.put(note("b.x"), "not watched")
	s.put(note("ab.x"), "not watched")
	s.put(note("a.x"), "one")
	s.sees(entries, note("a.x"), "one")
	s.put(record("a"), "two")
	s.sees(entries, record("a"), "two")
	s.put(note("a.y"), "three")
	s.sees(entries, note("a.y"), "three")
}

func endsWatches(t *testing.T, s shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	other, stop := context.WithCancel(t.Context())
	defer stop()
	entries, others := s.watch(ctx, record("a")), s.watch(other, record("a"))
	cancel()
	done, giveUp := patiently(t)
	defer giveUp()
	select {
	case e, open := <-entries:
		if open {
			t.Fatalf("watch gave %+v", e)
		}
	case <-done.Done():
		t.Fatal("the channel was not closed")
	}
	s.put(record("a"), "one")
	s.sees(others, record("a"), "one")
}

func writesPastIdleWatchers(t *testing.T, s shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.watch(ctx, record("a"))
	for range 2000 {
		s.put(record("a"), "again")
	}
}

func countsEntries(t *testing.T, s shelf) {
	s.put(note("a.x"), "1")
	s.put(note("a.y"), "2")
	s.put(note("a.x"), "3")
	s.put(driver.Key{Space: driver.Records, Name: "a"}, "{}")
	if n, err := s.Count(t.Context(), driver.Notes); n != 2 || err != nil {
		t.Errorf("counted %d, %v, want 2", n, err)
	}
}
