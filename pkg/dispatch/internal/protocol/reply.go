package protocol

import (
	"bytes"

	"zasync/pkg/deferred"
)

// Reply answers the caller of a command by the present record. It is false if the
// command is still to be carried out.
func Reply(r *deferred.Record, c *deferred.Command) (answered bool, err error) {
	if r.State.Settled() {
		if c.Verb == deferred.Handle {
			return !r.Unhandled(), nil
		}
		return true, answerSettled(r, c)
	}
	switch c.Verb {
	case deferred.Hold:
		switch {
		case carriedOut(r, c):
			return true, nil // a later command may have undone it
		case r.State == deferred.Running, r.State == deferred.Waiting:
			return true, &deferred.StateError{ID: r.ID, State: r.State, Verb: c.Verb, Rule: "only what has not started can be held"}
		}
	case deferred.Release:
		return carriedOut(r, c), nil
	case deferred.Resolve, deferred.Reject:
		if r.Seen && (r.State != deferred.Waiting || !c.Token.Opens(r)) {
			return true, deferred.ErrToken
		}
	case deferred.Add:
		switch {
		case !r.Seen:
		case !grows(r):
			return true, &deferred.StateError{ID: r.ID, State: r.State, Verb: c.Verb, Rule: "only a join that waits takes members"}
		default:
			all := withMembers(r, c.Members)
			if len(all) == len(r.Waits.On) {
				return true, nil
			}
			err := deferred.CheckMembersSize(all)
			return err != nil, err
		}
	case deferred.Handle:
		return true, &deferred.StateError{ID: r.ID, State: r.State, Verb: c.Verb, Rule: "only a failure can be handled"}
	}
	return false, nil
}

// carriedOut reports whether the record has obeyed the hold or release, or a later one.
// The state of the record alone is no answer: an earlier opposite command may be on its
// way.
func carriedOut(r *deferred.Record, c *deferred.Command) bool { return c.Seq > 0 && overtakes(r, c) }

// answerSettled answers a command about a settled deferred: it has done its work, or it
// came too late.
func answerSettled(r *deferred.Record, c *deferred.Command) error {
	switch c.Verb {
	case deferred.Cancel:
		if r.State == deferred.Cancelled {
			return nil
		}
	case deferred.Resolve, deferred.Reject:
		switch {
		case r.Seen && !c.Token.Opens(r): // a record that was cancelled before its promise came has no hash
			return deferred.ErrToken
		case r.SettledBy == c.By && sameOutcome(r, c):
			return nil
		}
	}
	return &deferred.SettledError{ID: r.ID, State: r.State, Outcome: r.Outcome()}
}

func sameOutcome(r *deferred.Record, c *deferred.Command) bool {
	if c.Verb == deferred.Resolve {
		return r.State == deferred.Succeeded && bytes.Equal(r.Result.Data, c.Result.Data)
	}
	return r.State == deferred.Failed && r.Failure != nil && r.Failure.Kind == c.Failure.Kind && r.Failure.Message == c.Failure.Message
}
