package dispatch

import (
	"context"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
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
	// latest: what seems to be open is asked of the leader. Without it only outcomes
	// count, and nothing is to be waited for.
	latest bool

	records []*deferred.Record // of all of waits.On, if decided
	decided bool
	unseen  bool // nobody has seen the one whose end it waits for, and it is too early to say that it does not exist
	apart   bool // the one that it waits for does not know of it any more
	fired   bool // it travelled with the call of the one that it waits for, and will be made once that has settled
}

func (s *standing) look(ctx context.Context) error {
	start := slices.Index(s.waits.On, s.h.from)
	if start < 0 {
		return s.lookAtAll(ctx)
	}
	for i, n := start, 4; i < len(s.waits.On); n = min(2*n, records.ReadAtOnce) { // the next that is open is near, mostly
		chunk := s.waits.On[i:min(i+n, len(s.waits.On))]
		records, err := s.read(ctx, chunk)
		if err != nil {
			return err
		}
		for _, r := range records {
			switch {
			case protocol.Decides(s.waits.Mode, r):
				return s.lookAtAll(ctx)
			case !protocol.IsSettled(r):
				return s.openAt(ctx, i, r)
			}
			i++
		}
	}
	return s.lookAtAll(ctx)
}

// read gives the records of members. Who woke the deferred had come to a revision,
// and a read that knows less is of the past, also if it tells of an outcome: that may
// be of an earlier deferred of the id.
func (s *standing) read(ctx context.Context, ids []deferred.ID) ([]*deferred.Record, error) {
	read := func(ctx context.Context, ids []deferred.ID) ([]records.Sighting, error) {
		return s.feed.records.Sight(ctx, ids, s.feed.records.Store.Read, false)
	}
	if s.latest {
		read = s.feed.records.ReadOpenLatest
	}
	seen, err := read(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if id != s.h.from || seen[i].Latest || seen[i].Revision >= s.h.sent {
			continue
		}
		if seen[i], err = s.feed.records.ReadLatest(ctx, id); err != nil {
			return nil, err
		}
	}
	return records.RecordsOf(seen), nil
}

// openAt: member i is the first that is open, as it seems.
func (s *standing) openAt(ctx context.Context, i int, r *deferred.Record) error {
	lost, err := s.lost(ctx, i, r)
	if err != nil {
		return err
	}
	if lost {
		return s.lookAtAll(ctx)
	}
	return s.waitFor(ctx, i, r)
}

// lookAtAll reads every member, and decides or finds the first that is open.
func (s *standing) lookAtAll(ctx context.Context) error {
	var err error
	if s.records, err = s.read(ctx, s.waits.On); err != nil {
		return err
	}
	open := -1
	for i, r := range s.records {
		if !protocol.IsSettled(r) && (open < 0 || s.waits.Mode == deferred.JoinRace) {
			lost, err := s.lost(ctx, i, r)
			if err != nil {
				return err
			}
			if lost {
				s.records[i] = protocol.UnknownMember(s.waits.On[i])
			} else if open < 0 {
				open = i
			}
		}
		s.decided = s.decided || protocol.Decides(s.waits.Mode, s.records[i])
	}
	switch {
	case open < 0:
		s.decided = true
		return nil
	case s.decided:
		return s.lookAtOpen(ctx)
	}
	return s.waitFor(ctx, open, s.records[open])
}

// lookAtOpen reads those again that were open when another one was found to
// decide. The records are not all of one moment, and the first by time decides: it
// may have settled before the other one, though it was read as open. So the leader
// is asked.
func (s *standing) lookAtOpen(ctx context.Context) error {
	var open []deferred.ID
	for i, r := range s.records {
		if !protocol.IsSettled(r) {
			open = append(open, s.waits.On[i])
		}
	}
	again, err := s.feed.records.Sight(ctx, open, s.feed.records.Store.ReadLatest, true)
	if err != nil {
		return err
	}
	for i, r := range s.records {
		if !protocol.IsSettled(r) {
			s.records[i], again = again[0].Record, again[1:]
		}
	}
	return nil
}

// lost: nobody has seen the member, there is no message of it, and the time for
// that is over.
func (s *standing) lost(ctx context.Context, i int, r *deferred.Record) (bool, error) {
	if !s.latest || r != nil && r.Seen || s.early() {
		return false, nil
	}
	return s.feed.records.Unknown(ctx, s.waits.On[i])
}

// early: who was to submit the members may do so still.
func (s *standing) early() bool {
	return s.feed.records.Clock.Now().Before(s.feed.graceEnd(s.h.Record))
}

// graceEnd is until when a callback waits for a parent that no worker has met.
func (f *feed) graceEnd(r *deferred.Record) time.Time { return r.Submitted.Add(f.config.ParentGrace) }

// waitFor makes member i the one whose settling wakes the deferred. Of one that
// nobody has seen there is a message, once it is known that it is not lost.
func (s *standing) waitFor(ctx context.Context, i int, r *deferred.Record) error {
	if !s.latest {
		return nil
	}
	unseen := func(r *deferred.Record) bool { return r == nil || !r.Seen }
	s.unseen = s.early() && (unseen(r) || s.waits.Mode == deferred.JoinRace && slices.ContainsFunc(s.records, unseen))
	if s.waits.Mode == deferred.JoinRace { // all of them wake it
		return nil
	}
	settledNow, entry, err := s.feed.listen(ctx, s.waits.On[i], s.h.Record.ID)
	if err != nil || !settledNow {
		s.apart = s.apart || entry == nil
		s.fired = entry != nil && !entry.Waiter
		return err
	}
	s.h.from, s.h.sent = s.waits.On[i], 0 // it settled meanwhile: go on from there
	return s.look(ctx)
}
