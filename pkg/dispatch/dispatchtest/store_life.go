package dispatchtest

import (
	"testing"
	"time"

	"zasync/pkg/dispatch"
)

func forgetsAfterTTL(t *testing.T, s shelf) {
	k := record("a")
	rev := s.must(dispatch.Write{Key: k, Value: []byte("one")})
	s.must(dispatch.Write{Key: k, Value: []byte("two"), Expect: rev, TTL: time.Second})
	s.vanishes(k)
	if got := s.list(dispatch.Query{Space: dispatch.Records}); len(got) > 0 {
		t.Fatalf("vanished entry is listed: %v", got)
	}
	s.must(dispatch.Write{Key: k, Value: []byte("three")})
}

func forgetsTheEarlierTTL(t *testing.T, s shelf) {
	kept, gone := record("kept"), record("gone")
	s.must(dispatch.Write{Key: kept, Value: []byte("short"), Expect: dispatch.Unconditional, TTL: time.Second})
	rev := s.put(kept, "long")
	s.must(dispatch.Write{Key: gone, Value: []byte("short"), TTL: 2 * time.Second})
	s.vanishes(gone)
	s.holds(kept, "long", rev)
}

func forgetsHeartbeats(t *testing.T, s shelf) {
	beats := dispatch.Key{Space: dispatch.Workers, Name: "beats"}
	stopped := dispatch.Key{Space: dispatch.Workers, Name: "stopped"}
	s.put(stopped, "once")
	last := s.put(beats, "again")
	eventually(t, "heartbeat vanishes", func() bool {
		last = s.put(beats, "again")
		return s.read(stopped)[0].Revision == 0
	})
	s.holds(beats, "again", last)
}
