package dispatch

import (
	"context"
	"slices"
	"time"

	"zasync/pkg/deferred"
)

// standing is how things stand with what a deferred waits for.
//
// An All of thousands is looked at once for each wake, and must not read
// thousands of records each time. So it is woken by the failures of all of its
// members but by the success of one only: the first that is open. A wake says
// from whom it comes; what is before that one had settled when it was attached,
// and the look goes on from there. Before the join settles, everything is read.
type standing struct {
	feed  *feed
	h     *holding
	waits *deferred.Waits

	records []*deferred.Record // of all of waits.On, if decided
	decided bool
	unseen  bool // nobody has seen the one whose end it waits for
}

const readAtOnce = 256

func (s *standing) look(ctx context.Context) error {
	start := slices.Index(s.waits.On, s.h.from)
	if start < 0 {
		return s.lookAtAll(ctx)
	}
	for i, n := start, 4; i < len(s.waits.On); n = min(2*n, readAtOnce) { // the next that is open is near, mostly
		chunk := s.waits.On[i:min(i+n, len(s.waits.On))]
		records, err := s.feed.readRecords(ctx, chunk)
		if err != nil {
			return err
		}
		for _, r := range records {
			switch {
			case decides(s.waits.Mode, r):
				return s.lookAtAll(ctx)
			case !settled(r):
				return s.waitFor(ctx, i, r)
			}
			i++
		}
	}
	return s.lookAtAll(ctx)
}

// lookAtAll reads every member, and decides or finds the first that is open.
func (s *standing) lookAtAll(ctx context.Context) error {
	s.records = s.records[:0]
	for chunk := range slices.Chunk(s.waits.On, readAtOnce) {
		records, err := s.feed.readRecords(ctx, chunk)
		if err != nil {
			return err
		}
		s.records = append(s.records, records...)
	}
	open := -1
	for i, r := range s.records {
		if !settled(r) {
			lost, err := s.lost(ctx, i, r)
			if err != nil {
				return err
			}
			if lost {
				s.records[i] = unknownMember(s.waits.On[i])
			} else if open < 0 {
				open = i
			}
		}
		s.decided = s.decided || decides(s.waits.Mode, s.records[i])
	}
	s.decided = s.decided || open < 0
	if s.decided {
		return nil
	}
	return s.waitFor(ctx, open, s.records[open])
}

// lost: nobody has seen the member, there is no message of it, and the time for
// that is over.
func (s *standing) lost(ctx context.Context, i int, r *deferred.Record) (bool, error) {
	if r != nil && r.Seen || s.feed.clock.now().Before(s.h.record.Submitted.Add(s.feed.config.ParentGrace)) {
		return false, nil
	}
	found, err := s.feed.broker.Find(ctx, s.waits.On[i])
	return len(found) == 0, err
}

// unknownMember stands for a member that does not exist. It has no time.
func unknownMember(id deferred.ID) *deferred.Record {
	return &deferred.Record{ID: id, State: deferred.Failed, Failure: &deferred.Failure{
		Kind: deferred.KindParentUnknown, Message: "no call was ever seen under the id " + string(id),
	}}
}

func isUnknown(m *deferred.Record) bool {
	return m.Settled.IsZero() && m.Failure != nil && m.Failure.Kind == deferred.KindParentUnknown
}

// waitFor makes member i the one whose settling wakes the deferred.
func (s *standing) waitFor(ctx context.Context, i int, r *deferred.Record) error {
	s.unseen = r == nil || !r.Seen
	if s.waits.Mode == deferred.JoinRace { // all of them wake it
		s.unseen = s.unseen || slices.ContainsFunc(s.records, func(r *deferred.Record) bool { return r == nil || !r.Seen })
		return nil
	}
	if settledNow, err := s.feed.listen(ctx, s.waits.On[i], s.h.record.ID); err != nil || !settledNow {
		return err
	}
	s.h.from = s.waits.On[i] // it settled meanwhile: go on from there
	return s.look(ctx)
}

func settled(r *deferred.Record) bool { return r != nil && r.State.Settled() }

// decides: the member's outcome alone settles what waits for it.
func decides(m deferred.JoinMode, r *deferred.Record) bool {
	if !settled(r) {
		return false
	}
	switch m {
	case deferred.JoinAll:
		return r.State != deferred.Succeeded
	case deferred.JoinAny:
		return r.State == deferred.Succeeded
	case deferred.JoinAllSettled:
		return false
	}
	return true
}

// first is the index of the record that decides and settled before the others;
// -1 if none decides. One that does not exist settled last.
func first(m deferred.JoinMode, records []*deferred.Record) int {
	found := -1
	at := func(r *deferred.Record) time.Time {
		if r.Settled.IsZero() {
			return time.Unix(1<<40, 0)
		}
		return r.Settled
	}
	for i, r := range records {
		if decides(m, r) && (found < 0 || at(r).Before(at(records[found]))) {
			found = i
		}
	}
	return found
}
