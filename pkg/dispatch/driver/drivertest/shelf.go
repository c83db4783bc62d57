package drivertest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"zasync/pkg/dispatch/driver"
)

// A shelf is a store under test, with methods for what must not go wrong.
type shelf struct {
	t *testing.T
	driver.Store
}

func RecordKey(name string) driver.Key { return driver.Key{Space: driver.Records, Name: name} }

func NoteKey(name string) driver.Key { return driver.Key{Space: driver.Notes, Name: name} }

// try writes one value and gives the error.
func (s shelf) try(w driver.Write) (uint64, error) {
	s.t.Helper()
	ctx, cancel := Patiently(s.t)
	defer cancel()
	answers := s.Write(ctx, []driver.Write{w})
	if len(answers) != 1 {
		s.t.Fatalf("one write has %d answers", len(answers))
	}
	return answers[0].Revision, answers[0].Err
}

func (s shelf) must(w driver.Write) uint64 {
	s.t.Helper()
	rev, err := s.try(w)
	if err != nil {
		s.t.Fatalf("write %v: %v", w.Key, err)
	}
	if rev == 0 && !w.Delete {
		s.t.Fatalf("write %v: stored with revision 0", w.Key)
	}
	return rev
}

func (s shelf) put(k driver.Key, value string) uint64 {
	s.t.Helper()
	return s.must(driver.Write{Key: k, Value: []byte(value), Expect: driver.Unconditional})
}

func (s shelf) conflicts(w driver.Write) {
	s.t.Helper()
	if _, err := s.try(w); !errors.Is(err, driver.ErrConflict) {
		s.t.Fatalf("write %v expecting %d: got %v, want ErrConflict", w.Key, w.Expect, err)
	}
}

func (s shelf) read(keys ...driver.Key) []driver.Entry {
	s.t.Helper()
	ctx, cancel := Patiently(s.t)
	defer cancel()
	entries, err := s.Read(ctx, keys)
	if err != nil {
		s.t.Fatalf("read: %v", err)
	}
	if len(entries) != len(keys) {
		s.t.Fatalf("read of %d keys gave %d entries", len(keys), len(entries))
	}
	return entries
}

// latest is read, answered by the leader.
func (s shelf) latest(keys ...driver.Key) []driver.Entry {
	s.t.Helper()
	ctx, cancel := Patiently(s.t)
	defer cancel()
	entries, err := s.ReadLatest(ctx, keys)
	if err != nil {
		s.t.Fatalf("read latest: %v", err)
	}
	if len(entries) != len(keys) {
		s.t.Fatalf("read of the latest of %d keys gave %d entries", len(keys), len(entries))
	}
	return entries
}

// whenever leaves out of a comparison when entries were stored.
var whenever = cmpopts.IgnoreFields(driver.Entry{}, "Time")

func (s shelf) holds(k driver.Key, value string, rev uint64) {
	s.t.Helper()
	got := s.read(k)[0]
	if age := time.Since(got.Time); age < 0 || age > time.Hour {
		s.t.Fatalf("entry was stored at %v, which is %v ago", got.Time, age)
	}
	want := driver.Entry{Key: k, Value: []byte(value), Revision: rev, Time: got.Time}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Fatalf("entry (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, s.latest(k)[0]); diff != "" {
		s.t.Fatalf("latest entry (-want +got):\n%s", diff)
	}
}

func (s shelf) absent(k driver.Key) {
	s.t.Helper()
	if diff := cmp.Diff(driver.Entry{Key: k}, s.read(k)[0]); diff != "" {
		s.t.Fatalf("entry that is not there (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(driver.Entry{Key: k}, s.latest(k)[0]); diff != "" {
		s.t.Fatalf("latest entry that is not there (-want +got):\n%s", diff)
	}
}

func (s shelf) vanishes(k driver.Key) {
	s.t.Helper()
	Eventually(s.t, "entry vanishes", func() bool { return s.read(k)[0].Revision == 0 })
	s.absent(k)
}
