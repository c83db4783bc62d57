package integration

import (
	"bytes"

	"zasync/pkg/deferred"
)

// check waits for every call and callback, and judges how each ended.
func (s *soaking) check() {
	s.t.Helper()
	kinds, ends, counts := map[string]int{}, map[deferred.State]int{}, deferred.Counts{}
	records := map[deferred.ID]deferred.Record{}
	for _, c := range s.calls {
		r := s.settled(c.ID)
		s.gather(records, r, c.Callbacks)
		kinds[c.kind]++
		if _, cancelled := s.cancelled.Load(c.ID); cancelled {
			c.state = deferred.Cancelled
		}
		if c.state != "" && r.State != c.state {
			s.t.Errorf("%s, %s, is %s, not %s: %v", c.ID, c.kind, r.State, c.state, r.Failure)
		}
	}
	performed := readSoak(s.t, s.journal)
	for id, r := range records {
		s.judge(&r, performed[id])
		ends[r.State]++
		counts.Failures += r.Counts.Failures
		counts.Commits += r.Counts.Commits
		counts.Deaths += r.Counts.Deaths
	}
	for _, c := range s.calls {
		s.judgeCallbacks(records, performed, c.ID, c.Callbacks)
		s.judgeWorkers(&c, performed[c.ID])
	}
	s.t.Logf("%d calls %v and their callbacks ended as %v with %+v", len(s.calls), kinds, ends, counts)
}

// gather waits for the callbacks of a settled call, and theirs.
func (s *soaking) gather(records map[deferred.ID]deferred.Record, r deferred.Record, callbacks []deferred.Callback) {
	s.t.Helper()
	records[r.ID] = r
	for i, cb := range callbacks {
		s.gather(records, s.settled(deferred.ChildID(r.ID, i)), cb.Call.Callbacks)
	}
}

// judge compares a record with what was performed: no attempt twice, none that
// the record does not count, and for each a reason.
func (s *soaking) judge(r *deferred.Record, performed []performance) {
	s.t.Helper()
	attempts := map[int]bool{}
	for _, p := range performed {
		if attempts[p.attempt] || p.begun != 1 || p.attempt > r.Attempt {
			s.t.Errorf("%s is %s after %d attempts, and was performed as %+v", r.ID, r.State, r.Attempt, performed)
		}
		attempts[p.attempt] = true
	}
	if r.State != deferred.Succeeded || r.Attempt == 0 {
		return
	}
	if !attempts[r.Attempt] {
		s.t.Errorf("%s succeeded at attempt %d, which nobody performed: %+v", r.ID, r.Attempt, performed)
	}
	if because := 1 + r.Counts.Failures + r.Counts.Deaths; r.Attempt != because {
		s.t.Errorf("%s has %d attempts and reasons for %d: %+v", r.ID, r.Attempt, because, r.Counts)
	}
}

// judgeCallbacks: what is on the branch that was taken has run on its parent's
// outcome, and what is not has taken that over.
func (s *soaking) judgeCallbacks(records map[deferred.ID]deferred.Record, performed map[deferred.ID][]performance, id deferred.ID, callbacks []deferred.Callback) {
	s.t.Helper()
	parent := records[id]
	for i, cb := range callbacks {
		r := records[deferred.ChildID(id, i)]
		switch {
		case cb.On.Takes(parent.State):
			if len(performed[r.ID]) == 0 || r.State != deferred.Succeeded || !passedOn(&parent, &r) {
				s.t.Errorf("callback on %s of %s, which %s: %s, performed as %+v, result %q", cb.On, id, parent.State, r.State, performed[r.ID], r.Result.Data)
			}
		case len(performed[r.ID]) > 0:
			s.t.Errorf("callback on %s of %s, which %s, was performed as %+v", cb.On, id, parent.State, performed[r.ID])
		case endingOf(&parent) != endingOf(&r):
			s.t.Errorf("callback on %s of %s, which %s, has ended on its own: %+v", cb.On, id, parent.State, endingOf(&r))
		}
		s.judgeCallbacks(records, performed, r.ID, cb.Call.Callbacks)
	}
}

// passedOn: the callback returns what it was given, which is what its parent
// has returned, or the parent's failure.
func passedOn(parent, callback *deferred.Record) bool {
	if parent.State == deferred.Succeeded {
		return bytes.Equal(parent.Result.Data, callback.Result.Data)
	}
	var f deferred.Failure
	return callback.Result.Decode(&f) == nil && f.Kind == parent.Failure.Kind && f.Message == parent.Failure.Message
}

// judgeWorkers: who may not perform a call has not.
func (s *soaking) judgeWorkers(c *soakCall, performed []performance) {
	s.t.Helper()
	for _, p := range performed {
		if only, ok := c.Labels[onlyLabel]; ok && p.worker != only {
			s.t.Errorf("%s is for %s and was performed by %s", c.ID, only, p.worker)
		}
		if c.cancel && c.Delay > 0 {
			s.t.Errorf("%s was cancelled an hour before its time and was performed by %s", c.ID, p.worker)
		}
	}
}
