package drivertest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/dispatch/driver"
)

// list gives the names of the query's entries.
func (s shelf) list(q driver.Query) []string {
	s.t.Helper()
	ctx, cancel := Patiently(s.t)
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
	s.put(NoteKey("a.x"), "1")
	s.put(NoteKey("b.x"), "2")
	y := s.put(NoteKey("a.y"), "3")
	s.put(NoteKey("ab.x"), "4")
	s.put(NoteKey("a.z"), "5")
	s.put(NoteKey("a.x"), "6")

	s.lists(driver.Query{Space: driver.Notes}, "b.x", "a.y", "ab.x", "a.z", "a.x")
	s.lists(driver.Query{Space: driver.Notes, Prefix: "a."}, "a.y", "a.z", "a.x")
	s.lists(driver.Query{Space: driver.Notes, Prefix: "a.", After: y}, "a.z", "a.x")
	s.lists(driver.Query{Space: driver.Notes, After: y}, "ab.x", "a.z", "a.x")
	s.lists(driver.Query{Space: driver.Notes, Prefix: "c."})

	for e, err := range s.List(t.Context(), driver.Query{Space: driver.Notes}) {
		if err != nil || string(e.Value) != "2" || e.Key != NoteKey("b.x") {
			t.Fatalf("first entry is %+v, %v", e, err)
		}
		break
	}
}

func listsMany(t *testing.T, s shelf) {
	ctx, cancel := Patiently(t)
	defer cancel()
	var writes []driver.Write
	var want []string
	for i := range 2500 {
		want = append(want, fmt.Sprintf("r%04d", i))
		writes = append(writes, driver.Write{Key: RecordKey(want[i]), Value: []byte("v")})
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
	ctx, cancel := Patiently(s.t)
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
	s.put(RecordKey("a"), "before")
	entries := s.watch(ctx, RecordKey("a"), RecordKey("c"))
	s.put(RecordKey("b"), "not watched")
	s.put(NoteKey("a.a"), "not watched")
	rev := s.put(RecordKey("a"), "one")
	s.sees(entries, RecordKey("a"), "one")
	s.must(driver.Write{Key: RecordKey("a"), Value: []byte("two"), Expect: rev})
	s.sees(entries, RecordKey("a"), "two")
	s.put(RecordKey("c"), "three")
	s.sees(entries, RecordKey("c"), "three")
}

func watchesWildcards(t *testing.T, s shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	entries := s.watch(ctx, RecordKey("a"), NoteKey("a.*"))
	s.put(NoteKey("b.x"), "not watched")
	s.put(NoteKey("ab.x"), "not watched")
	s.put(NoteKey("a.x"), "one")
	s.sees(entries, NoteKey("a.x"), "one")
	s.put(RecordKey("a"), "two")
	s.sees(entries, RecordKey("a"), "two")
	s.put(NoteKey("a.y"), "three")
	s.sees(entries, NoteKey("a.y"), "three")
}

func endsWatches(t *testing.T, s shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	other, stop := context.WithCancel(t.Context())
	defer stop()
	entries, others := s.watch(ctx, RecordKey("a")), s.watch(other, RecordKey("a"))
	cancel()
	done, giveUp := Patiently(t)
	defer giveUp()
	select {
	case e, open := <-entries:
		if open {
			t.Fatalf("watch gave %+v", e)
		}
	case <-done.Done():
		t.Fatal("the channel was not closed")
	}
	s.put(RecordKey("a"), "one")
	s.sees(others, RecordKey("a"), "one")
}

func writesPastIdleWatchers(t *testing.T, s shelf) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.watch(ctx, RecordKey("a"))
	for range 2000 {
		s.put(RecordKey("a"), "again")
	}
}

func countsEntries(t *testing.T, s shelf) {
	s.put(NoteKey("a.x"), "1")
	s.put(NoteKey("a.y"), "2")
	s.put(NoteKey("a.x"), "3")
	s.put(driver.Key{Space: driver.Records, Name: "a"}, "{}")
	if n, err := s.Count(t.Context(), driver.Notes); n != 2 || err != nil {
		t.Errorf("counted %d, %v, want 2", n, err)
	}
}
