package drivertest

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/dispatch/driver"
)

// TestStore is the contract of a [dispatch.Store]. open gives an empty one; it
// is called once a subtest, by the subtest's clock.
func TestStore(t *testing.T, clock Clock, open func(t *testing.T) driver.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, shelf)
	}{
		{"an entry is created only where none stands", createsWhereNoneStands},
		{"an update needs the present revision", updatesThePresentRevision},
		{"an unconditional write replaces whatever stands there", writesUnconditionally},
		{"a deleted entry is not there and can be created again", deletesForGood},
		{"of many creators one wins", letsOneCreatorWin},
		{"a conflict does not keep the other writes from being stored", writesEachOnItsOwn},
		{"entries are read in the order of the keys", readsInOrder},
		{"the same name in another space is another entry", keepsSpacesApart},
		{"the bytes belong to the caller", copiesValues},
		{"an entry with a time to live vanishes", forgetsAfterTTL},
		{"an entry outlives the time to live of its earlier value", forgetsTheEarlierTTL},
		{"a heartbeat vanishes unless it is repeated", forgetsHeartbeats},
		{"a list is in the order of the revisions", listsByRevision},
		{"a list of many entries is complete", listsMany},
		{"the entries of a space are counted", countsEntries},
		{"a watch sees what is written to its keys", watchesKeys},
		{"a watch with a wildcard sees one token more", watchesWildcards},
		{"a watch ends with its context", endsWatches},
		{"a watcher that does not read blocks nobody", writesPastIdleWatchers},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock(t, func(t *testing.T) { c.test(t, shelf{t, open(t)}) })
		})
	}
}

func createsWhereNoneStands(t *testing.T, s shelf) {
	k := RecordKey("a")
	s.absent(k)
	rev := s.must(driver.Write{Key: k, Value: []byte("one")})
	s.conflicts(driver.Write{Key: k, Value: []byte("two")})
	s.holds(k, "one", rev)
}

func updatesThePresentRevision(t *testing.T, s shelf) {
	k := RecordKey("a")
	s.conflicts(driver.Write{Key: k, Value: []byte("zero"), Expect: 7})
	s.absent(k)
	first := s.must(driver.Write{Key: k, Value: []byte("one")})
	second := s.must(driver.Write{Key: k, Value: []byte("two"), Expect: first})
	if second <= first {
		t.Fatalf("revision %d follows %d", second, first)
	}
	s.conflicts(driver.Write{Key: k, Value: []byte("three"), Expect: first})
	s.holds(k, "two", second)
}

func writesUnconditionally(t *testing.T, s shelf) {
	k := RecordKey("a")
	first := s.put(k, "one")
	s.holds(k, "one", first)
	second := s.put(k, "two")
	s.holds(k, "two", second)
	s.must(driver.Write{Key: k, Value: []byte("three"), Expect: second})
}

func deletesForGood(t *testing.T, s shelf) {
	for _, space := range []driver.Space{driver.Records, driver.Notes, driver.Workers, driver.Settings} {
		k := driver.Key{Space: space, Name: "a"}
		s.must(driver.Write{Key: k, Delete: true, Expect: driver.Unconditional})
		first := s.must(driver.Write{Key: k, Value: []byte("one")})
		second := s.must(driver.Write{Key: k, Value: []byte("two"), Expect: first})
		s.conflicts(driver.Write{Key: k, Delete: true, Expect: first})
		s.holds(k, "two", second)

		s.must(driver.Write{Key: k, Delete: true, Expect: second})
		s.absent(k)
		if got := s.list(driver.Query{Space: space}); len(got) > 0 {
			t.Fatalf("%s: deleted entry is listed: %v", space, got)
		}
		s.conflicts(driver.Write{Key: k, Value: []byte("late"), Expect: second})
		if third := s.must(driver.Write{Key: k, Value: []byte("three")}); third <= second {
			t.Fatalf("%s: revision %d follows %d", space, third, second)
		}
		s.must(driver.Write{Key: k, Delete: true, Expect: driver.Unconditional})
		s.absent(k)
	}
}

func letsOneCreatorWin(t *testing.T, s shelf) {
	var won, lost atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			switch _, err := s.try(driver.Write{Key: RecordKey("a"), Value: []byte("mine")}); {
			case err == nil:
				won.Add(1)
			case errors.Is(err, driver.ErrConflict):
				lost.Add(1)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Fatalf("%d won and %d had a conflict, want 1 and 15", won.Load(), lost.Load())
	}
}

func writesEachOnItsOwn(t *testing.T, s shelf) {
	ctx, cancel := Patiently(t)
	defer cancel()
	there := s.put(RecordKey("b"), "old")
	answers := s.Write(ctx, []driver.Write{
		{Key: RecordKey("a"), Value: []byte("new")},
		{Key: RecordKey("b"), Value: []byte("new")},
		{Key: NoteKey("c.x"), Value: []byte("new"), Expect: driver.Unconditional},
	})
	if len(answers) != 3 || answers[0].Err != nil || answers[2].Err != nil || !errors.Is(answers[1].Err, driver.ErrConflict) {
		t.Fatalf("answers are %+v, want only a conflict in the middle", answers)
	}
	s.holds(RecordKey("a"), "new", answers[0].Revision)
	s.holds(RecordKey("b"), "old", there)
	s.holds(NoteKey("c.x"), "new", answers[2].Revision)
}

func readsInOrder(t *testing.T, s shelf) {
	a, c := s.put(RecordKey("a"), "A"), s.put(NoteKey("c.x"), "C")
	want := []driver.Entry{
		{Key: NoteKey("c.x"), Value: []byte("C"), Revision: c},
		{Key: RecordKey("b")},
		{Key: RecordKey("a"), Value: []byte("A"), Revision: a},
		{Key: NoteKey("c.y")},
	}
	got := s.read(NoteKey("c.x"), RecordKey("b"), RecordKey("a"), NoteKey("c.y"))
	if diff := cmp.Diff(want, got, whenever); diff != "" {
		t.Fatalf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, s.latest(NoteKey("c.x"), RecordKey("b"), RecordKey("a"), NoteKey("c.y")), whenever); diff != "" {
		t.Fatalf("latest entries (-want +got):\n%s", diff)
	}
	s.read()
	s.latest()
}

func keepsSpacesApart(t *testing.T, s shelf) {
	setting := driver.Key{Space: driver.Settings, Name: "a"}
	here, there := s.put(RecordKey("a"), "here"), s.put(setting, "there")
	s.holds(RecordKey("a"), "here", here)
	s.holds(setting, "there", there)
	if got := s.list(driver.Query{Space: driver.Settings}); len(got) != 1 {
		t.Fatalf("one entry is in the space, %d are listed", len(got))
	}
}

func copiesValues(t *testing.T, s shelf) {
	value := []byte("one")
	rev := s.must(driver.Write{Key: RecordKey("a"), Value: value})
	copy(value, "XXX")
	copy(s.read(RecordKey("a"))[0].Value, "YYY")
	copy(s.latest(RecordKey("a"))[0].Value, "ZZZ")
	s.holds(RecordKey("a"), "one", rev)
}
