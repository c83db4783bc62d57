package suite

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// checkKeeping looks at what nobody has waited for.
func checkKeeping(ctx context.Context, s *story) {
	s.checkUnhandled(ctx)
	s.checkForgotten(ctx)
	s.checkNotes(ctx)
	both := "succeeded " + short("["+big+","+big+"]")
	for _, id := range []deferred.ID{"large", child("large", 1)} { // whose members have been let go of
		if r, err := s.truth.Await(ctx, id); err != nil || outcome(&r) != both || r.ResultOf != "large" {
			s.t.Errorf("%s is %s (%v), want %s", id, outcome(&r), err, both)
		}
	}
}

// checkUnhandled: of those that failed the one is listed that nobody has seen.
func (s *story) checkUnhandled(ctx context.Context) {
	for id, handled := range map[deferred.ID]bool{"dismissed": true, "left": false, "race": true} {
		if r, err := s.truth.Record(ctx, id); err != nil || r.State != deferred.Failed || r.Handled != handled {
			s.t.Errorf("%s is %s (%v), handled: %t", id, r.State, err, r.Handled)
		}
	}
	var listed []deferred.ID
	drivertest.Eventually(s.t, "a failure that nobody has seen is listed, and no other one", func() bool {
		listed = nil
		for r, err := range s.truth.Unhandled(ctx) {
			if err != nil {
				return false
			}
			listed = append(listed, r.ID)
		}
		return slices.Equal(listed, []deferred.ID{"left"})
	})
}

// checkForgotten: of the older records those that are too many go, the oldest ones.
// An annotation stays behind for its time if its record went and nobody could say so.
func (s *story) checkForgotten(ctx context.Context) {
	drivertest.Eventually(s.t, "there are no more records than allowed", func() bool {
		return len(s.listed(ctx, driver.Records)) <= s.config.MaxRecords
	})
	records := s.listed(ctx, driver.Records)
	if len(records) != s.config.MaxRecords {
		s.t.Errorf("%d records are left, want %d: %q", len(records), s.config.MaxRecords, records)
	}
	mayStay := s.faults.Mode.Kills() || strings.HasPrefix(s.faults.Faulty(), "delete ")
	for i := range 5 {
		id, kept := "old-"+strconv.Itoa(i+1), i >= 3
		if slices.Contains(records, id) != kept {
			s.t.Errorf("of the older records too many, or the wrong ones are left: %q", records)
		}
		noted := func() bool { return slices.Contains(s.listed(ctx, driver.Notes), id+".note") }
		switch {
		case kept && !noted():
			s.t.Errorf("the annotation of %s, which is kept, has gone", id)
		case !kept && !mayStay:
			drivertest.Eventually(s.t, "the annotation of what has gone goes", func() bool { return !noted() })
		}
	}
}

func (s *story) listed(ctx context.Context, space driver.Space) (names []string) {
	for e, err := range s.pair.Store.List(ctx, driver.Query{Space: space}) {
		if err != nil {
			s.t.Fatal(err)
		}
		names = append(names, e.Name)
	}
	return names
}

// checkNotes: the last value of the last attempt stands, but for one whose write
// was refused.
func (s *story) checkNotes(ctx context.Context) {
	r, err := s.truth.Record(ctx, "noted")
	if err != nil {
		s.t.Fatal(err)
	}
	got := map[string]string{}
	for n, err := range s.truth.Annotations(ctx, "noted") {
		if err != nil {
			s.t.Fatal(err)
		}
		got[n.Key] = fmt.Sprintf("%s of attempt %d", n.Value, n.Attempt)
	}
	want := fmt.Sprintf("%d of attempt %d", 100*r.Attempt+20, r.Attempt)
	refused := s.faults.Mode == drivertest.Fail && strings.HasPrefix(s.faults.Faulty(), "write notes noted.")
	if got[deferred.ProgressKey] != want && !refused {
		s.t.Errorf("the progress is %s, want %s", got[deferred.ProgressKey], want)
	}
	if !strings.HasPrefix(got[deferred.CheckpointKey], "7 of attempt ") {
		s.t.Errorf("the checkpoint is %q", got[deferred.CheckpointKey])
	}
}
