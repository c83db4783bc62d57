package protocol

import (
	"slices"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/wire"
)

// obey is what a command means for a deferred that is open, or has no record.
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
		if r == nil || r.State == deferred.Pending || r.State == deferred.Scheduled || r.State == deferred.Held { // held: by an earlier one, whose release may be still to come
			return Decision{Action: Hold, Why: "held"}
		}
	case deferred.Release:
		if !overtakes(r, f.Command) || r.Obeyed == f.Command.Seq { // also of what is not held: the hold before it may be still to come
			return Decision{Action: Release, Why: "released"}
		}
	case wire.VerbWake:
		if seen && r.State != deferred.Waiting && f.overdue() {
			return Decision{Action: Expire, Why: "its deadline has passed"}
		}
		if r != nil && r.State == deferred.Waiting {
			return Decision{Action: Evaluate, Why: "woken"}
		}
		if d := f.deadline(); seen && !d.IsZero() { // an alarm that came before may have stood in the place of its own
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

// overtakes: a later hold or release has been carried out already. The order of
// commands is that of their messages: a hold that is met after the release that
// followed it must not hold for ever.
func overtakes(r *deferred.Record, c *deferred.Command) bool { return r != nil && r.Obeyed >= c.Seq }

// resolution: a token cannot be judged before the promise is seen. So the
// command waits for it as the message that it is; a record made of it could be
// anybody's.
func (f *Facts) resolution() Decision {
	switch r := f.Record; {
	case r == nil || !r.Seen:
		return Decision{Action: RetryLater, Why: "no promise of this id is known"}
	case r.State == deferred.Waiting && f.Command.Token.Opens(r):
		return Decision{Action: Resolve, Why: "settled from outside"}
	}
	return Decision{Action: SetAside, Why: "the token is not that of a promise"}
}

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

// withMembers are the members of a join and those that are new.
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

// grows: members can be added to the deferred.
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

// Change writes into a record what a command asks for that settles nothing;
// whether it may is decided before.
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

// SettleOutside settles a promise as the command says.
func SettleOutside(r *deferred.Record, c *deferred.Command) {
	if c.Verb == deferred.Resolve {
		r.Settle(deferred.Succeeded, nil)
		r.Result = c.Result
	} else {
		r.Settle(deferred.Failed, c.Failure)
	}
	r.SettledBy = c.By
}
