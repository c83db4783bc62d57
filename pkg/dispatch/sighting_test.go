package dispatch

import (
	"context"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
	"zasync/pkg/dispatch/internal/wire"
)

// twofold has a replica that tells of the past, and a leader.
type twofold struct {
	driver.Store
	past, present driver.Entry
}

func (s *twofold) Read(context.Context, []driver.Key) ([]driver.Entry, error) {
	return []driver.Entry{s.past}, nil
}
func (s *twofold) ReadLatest(context.Context, []driver.Key) ([]driver.Entry, error) {
	return []driver.Entry{s.present}, nil
}

func entryAt(t *testing.T, revision uint64, state deferred.State) driver.Entry {
	t.Helper()
	r := aRecord(state)
	r.Settled = noon
	data, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return driver.Entry{Key: records.Key("a"), Value: data, Revision: revision}
}

func TestReadThatKnowsLessThanItsMessageIsAskedOfTheLeader(t *testing.T) {
	for name, c := range map[string]struct {
		proven uint64
		ahead  bool
		want   uint64
	}{
		"nothing is proven":                        {0, false, 3},
		"what is read is as new as what is proven": {3, false, 3},
		"it is older":                              {4, false, 7},
		"this holding has written the record":      {0, true, 7},
	} {
		t.Run(name, func(t *testing.T) {
			s := &twofold{past: entryAt(t, 3, deferred.Succeeded), present: entryAt(t, 7, deferred.Succeeded)}
			q := New(s, nil, Config{})
			f := &feed{records: q.records, config: q.config, held: map[deferred.ID]*holding{}}
			h := &holding{feed: f, delivery: driver.Delivery{Message: driver.Message{ID: "a"}, Time: noon}, command: &deferred.Command{Verb: wire.VerbExpire}, proven: c.proven, ahead: c.ahead}
			if d, err := h.look(t.Context()); err != nil || d.Action != protocol.Finish {
				t.Fatalf("it is answered with %q (%v)", d.Action, err)
			}
			if h.Revision != c.want || h.Latest != (c.want == 7) {
				t.Errorf("it rests on revision %d, latest %t; want %d", h.Revision, h.Latest, c.want)
			}
		})
	}
}

func TestWhatEndsWithoutACompareAndSetRestsOnTheLeader(t *testing.T) {
	settled := &deferred.Record{State: deferred.Succeeded, Settled: noon}
	for name, c := range map[string]struct {
		facts protocol.Facts
		deed  protocol.Action
		want  bool
	}{
		"a word that means nothing":                  {protocol.Facts{}, protocol.Discard, false},
		"a word that means nothing, says the leader": {protocol.Facts{Latest: true}, protocol.Discard, true},
		"an alarm in place of a wake":                {protocol.Facts{}, protocol.ParkWake, false},
		"another call under the id":                  {protocol.Facts{}, protocol.SetAside, false},
		"a word that came early":                     {protocol.Facts{}, protocol.RetryLater, false},
		"a call that another worker performs":        {protocol.Facts{}, protocol.GiveBack, false},
		"a call that is performed here":              {protocol.Facts{Performing: true}, protocol.GiveBack, true},
		"what settled after the message was sent":    {protocol.Facts{Record: settled, Sent: noon.Add(-time.Second)}, protocol.Finish, true},
		"what settled before the message was sent":   {protocol.Facts{Record: settled, Sent: noon.Add(time.Second)}, protocol.Finish, false},
		"a claim":              {protocol.Facts{}, protocol.Claim, true},
		"what waits":           {protocol.Facts{}, protocol.Wait, true},
		"a cancel":             {protocol.Facts{}, protocol.Cancel, true},
		"a hold":               {protocol.Facts{}, protocol.Hold, true},
		"a look at what waits": {protocol.Facts{}, protocol.Evaluate, true},
	} {
		if got := c.facts.Suffices(protocol.Decision{Action: c.deed}); got != c.want {
			t.Errorf("%s: what any replica says is enough: %t", name, got)
		}
	}
}
