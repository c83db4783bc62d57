package protocol

import (
	"slices"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/wire"
)

// obey decides on a command about a deferred that is open or has no record.
func (f *Facts) obey() Decision {
	r := f.Record
	seen := r != nil && r.Seen
	switch f.Command.Verb {
	case deferred.Cancel:
		return Decision{Action: Cancel, Why: "cancelled"}
	case deferred.Hold:
		if overtakes(r, f.Command) {
			break
		}
		if r == nil || r.State == deferred.Pending || r.State == deferred.Scheduled || r.State == deferred.Held { // an earlier hold counts too: its release may be on its way
			return Decision{Action: Hold, Why: "held"}
		}
	case deferred.Release:
		if !overtakes(r, f.Command) || r.Obeyed == f.Command.Seq { // also without a hold: it may be on its way
			return Decision{Action: Release, Why: "released"}
		}
	case wire.VerbWake:
		if seen && r.State != deferred.Waiting && f.overdue() {
			return Decision{Action: Expire, Why: "its deadline has passed"}
		}
		if r != nil && r.State == deferred.Waiting {
			return Decision{Action: Evaluate, Why: "woken"}
		}
		if d := f.deadline(); seen && !d.IsZero() { // this alarm may have replaced the alarm of the deadline
			return Decision{Action: ParkWake, Until: d, Why: "its deadline is ahead"}
		}
	case wire.VerbExpire:
		if seen && f.overdue() {
			return Decision{Action: Expire, Why: "its deadline has passed"}
		}
	case deferred.Resolve, deferred.Reject:
		return f.resolution()
	case deferred.Add:
		return f.addition()
	}
	return Decision{Action: Discard, Why: "nothing to do"}
}

// overtakes reports whether the record has obeyed a later hold or release. Commands count
// in the order of their messages: a hold that a worker meets after its release must not
// hold for ever.
func overtakes(r *deferred.Record, c *deferred.Command) bool { return r != nil && r.Obeyed >= c.Seq }

// resolution decides on a resolve or a reject. Only the promise's own message has the
// hash of its token. Before that message the command waits in the stream: a record made
// from the command could be an intruder's.
func (f *Facts) resolution() Decision {
	switch r := f.Record; {
	case r == nil || !r.Seen:
		return Decision{Action: RetryLater, Why: "no promise of this id is known"}
	case r.State == deferred.Waiting && f.Command.Token.Opens(r):
		return Decision{Action: Resolve, Why: "settled from outside"}
	}
	return Decision{Action: SetAside, Why: "the token is not that of a promise"}
}

// addition decides on members that are added to a join.
func (f *Facts) addition() Decision {
	switch r := f.Record; {
	case r == nil || !r.Seen:
		return Decision{Action: RetryLater, Why: "no join of this id is known"}
	case !grows(r):
		return Decision{Action: SetAside, Why: "it is not a join that waits"}
	}
	all := withMembers(f.Record, f.Command.Members)
	switch err := deferred.CheckMembersSize(all); {
	case len(all) == len(f.Record.Waits.On):
		return Decision{Action: Evaluate, Why: "members were added"}
	case err != nil:
		return Decision{Action: SetAside, Why: err.Error()}
	}
	return Decision{Action: Add, Why: "members were added"}
}

// withMembers is the list of members of a join with the new ones at its end.
func withMembers(r *deferred.Record, members []deferred.ID) []deferred.ID {
	all, has := slices.Clip(r.Waits.On), SetOf(r.Waits.On)
	has[r.ID] = true
	for _, id := range members {
		if !has[id] {
			has[id] = true
			all = append(all, id)
		}
	}
	return all
}

// grows reports whether a deferred takes more members.
func grows(r *deferred.Record) bool {
	if r.State != deferred.Waiting || r.Waits == nil {
		return false
	}
	switch r.Waits.Mode {
	case deferred.AdoptInner, deferred.AfterParent:
		return false
	}
	return true
}

// Change writes a command into a record that it does not settle. Decide has allowed it.
func Change(r *deferred.Record, c *deferred.Command) {
	switch c.Verb {
	case deferred.Hold:
		r.Hold(c.Reason)
		r.Obeyed = c.Seq
	case deferred.Release:
		if r.Obeyed = c.Seq; r.State == deferred.Held {
			r.State = deferred.Pending
		}
	case deferred.Handle:
		r.Handled = true
	case deferred.Add:
		r.Waits.On = withMembers(r, c.Members)
	}
}

// SettleOutside settles a promise by a resolve or a reject.
func SettleOutside(r *deferred.Record, c *deferred.Command) {
	if c.Verb == deferred.Resolve {
		r.Settle(deferred.Succeeded, nil)
		r.Result = c.Result
	} else {
		r.Settle(deferred.Failed, c.Failure)
	}
	r.SettledBy = c.By
}
