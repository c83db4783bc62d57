package drivertest

import (
	"testing"
	"time"

	"zasync/pkg/dispatch/driver"
)

func forgetsAfterTTL(t *testing.T, s shelf) {
	k := RecordKey("a")
	rev := s.must(driver.Write{Key: k, Value: []byte("one")})
	s.must(driver.Write{Key: k, Value: []byte("two"), Expect: rev, TTL: time.Second})
	s.vanishes(k)
	if got := s.list(driver.Query{Space: driver.Records}); len(got) > 0 {
		t.Fatalf("vanished entry is listed: %v", got)
	}
	s.must(driver.Write{Key: k, Value: []byte("three")})
}

func forgetsTheEarlierTTL(t *testing.T, s shelf) {
	kept, gone := RecordKey("kept"), RecordKey("gone")
	s.must(driver.Write{Key: kept, Value: []byte("short"), Expect: driver.Unconditional, TTL: time.Second})
	rev := s.put(kept, "long")
	s.must(driver.Write{Key: gone, Value: []byte("short"), TTL: 2 * time.Second})
	s.vanishes(gone)
	s.holds(kept, "long", rev)
}

func forgetsHeartbeats(t *testing.T, s shelf) {
	beats := driver.Key{Space: driver.Workers, Name: "beats"}
	stopped := driver.Key{Space: driver.Workers, Name: "stopped"}
	s.put(stopped, "once")
	last := s.put(beats, "again")
	Eventually(t, "heartbeat vanishes", func() bool {
		last = s.put(beats, "again")
		return s.read(stopped)[0].Revision == 0
	})
	s.holds(beats, "again", last)
}
