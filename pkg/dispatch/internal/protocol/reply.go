package protocol

import (
	"bytes"

	"zasync/pkg/deferred"
)

// Reply is what the giver of a command is told by the record as it is; false
// when the command has still to be carried out.
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
			return true, nil // and undone by somebody since, perhaps
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

// carriedOut: the hold or release, or a later one. What the record says before it
// is stored is no answer: the opposite may be on its way, and then this one is the
// later word.
func carriedOut(r *deferred.Record, c *deferred.Command) bool { return c.Seq > 0 && overtakes(r, c) }

// answerSettled: a command that came too late, or has done its work.
func answerSettled(r *deferred.Record, c *deferred.Command) error {
	switch c.Verb {
	case deferred.Cancel:
		if r.State == deferred.Cancelled {
			return nil
		}
	case deferred.Resolve, deferred.Reject:
		switch {
		case r.Seen && !c.Token.Opens(r): // of a promise that was cancelled before it was seen nobody can tell
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
