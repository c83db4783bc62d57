package dispatch

import (
	"context"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/protocol"
	"zasync/pkg/dispatch/internal/records"
)

// standing is one look at the members that a deferred waits for.
//
// A [deferred.JoinAll] of thousands is looked at once for each wake, and the look must not
// read thousands of records each time. So every member wakes it by a failure, but only one
// wakes it by a success: the first that is open. A wake names its sender. The members
// before the sender had settled when the join began to wait for it, and the look goes on
// from there. Before the join settles, the look reads every record.
type standing struct {
	feed  *feed
	h     *holding
	waits *deferred.Waits
	// latest says that the leader gives the members that seem open. Without it only
	// outcomes count, and the look makes no member wake the deferred.
	latest bool

	records []*deferred.Record // of all of waits.On, if decided
	decided bool
	unseen  bool // no worker has met the member that it waits for, and it is too early to say that there is none
	apart   bool // the record of the member that it waits for has no entry of it any more
	fired   bool // it is a callback in the call of the member that it waits for, and is put once that has settled
}

func (s *standing) look(ctx context.Context) error {
	start := slices.Index(s.waits.On, s.h.from)
	if start < 0 {
		return s.lookAtAll(ctx)
	}
	for i, n := start, 4; i < len(s.waits.On); n = min(2*n, records.ReadAtOnce) { // the next open member is mostly near
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

// read gives the records of members. The member that sent the wake had a revision by then.
// A read of an older revision is of the past, also if it shows an outcome. The outcome may
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

// openAt goes on at member i, which seems to be the first that is open.
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

// lookAtAll reads every member. Either they decide, or it finds the first that is open.
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

// lookAtOpen reads the members again that were open when another member was found to
// decide. The records are not all of one moment, and the first member by time decides. A
// member that was read as open may have settled before the other one. So lookAtOpen asks
// the leader.
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

// lost reports whether a member is missing for good. No worker has met it, no message of
// it stands, and the time to submit it is over.
func (s *standing) lost(ctx context.Context, i int, r *deferred.Record) (bool, error) {
	if !s.latest || r != nil && r.Seen || s.early() {
		return false, nil
	}
	return s.feed.records.Unknown(ctx, s.waits.On[i])
}

// early reports whether a client may still submit the members.
func (s *standing) early() bool {
	return s.feed.records.Clock.Now().Before(s.feed.graceEnd(s.h.Record))
}

// graceEnd is until when a deferred waits for a parent or a member that no worker has met.
func (f *feed) graceEnd(r *deferred.Record) time.Time { return r.Submitted.Add(f.config.ParentGrace) }

// waitFor makes member i wake the deferred when it settles. If no worker has met the
// member, a message of it stands, once it is known that the member is not lost.
func (s *standing) waitFor(ctx context.Context, i int, r *deferred.Record) error {
	if !s.latest {
		return nil
	}
	unseen := func(r *deferred.Record) bool { return r == nil || !r.Seen }
	s.unseen = s.early() && (unseen(r) || s.waits.Mode == deferred.JoinRace && slices.ContainsFunc(s.records, unseen))
	if s.waits.Mode == deferred.JoinRace { // every member wakes it
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
