package dispatch

import (
	"context"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// obey is what a command means for a deferred that is open, or has no record.
func (f *facts) obey() decision {
	r := f.record
	seen := r != nil && r.Seen
	switch f.command.Verb {
	case deferred.Cancel:
		return decision{deed: cancel, why: "cancelled"}
	case deferred.Hold:
		if overtakes(r, f.command) {
			break
		}
		if r == nil || r.State == deferred.Pending || r.State == deferred.Scheduled || r.State == deferred.Held { // held: by an earlier one, whose release may be still to come
			return decision{deed: hold, why: "held"}
		}
	case deferred.Release:
		if !overtakes(r, f.command) || r.Obeyed == f.command.Seq { // also of what is not held: the hold before it may be still to come
			return decision{deed: release, why: "released"}
		}
	case wire.VerbWake:
		if seen && r.State != deferred.Waiting && f.overdue() {
			return decision{deed: expire, why: "its deadline has passed"}
		}
		if r != nil && r.State == deferred.Waiting {
			return decision{deed: evaluate, why: "woken"}
		}
		if d := f.deadline(); seen && !d.IsZero() { // an alarm that came before may have stood in the place of its own
			return decision{deed: rest, until: d, why: "its deadline is ahead"}
		}
	case wire.VerbExpire:
		if seen && f.overdue() {
			return decision{deed: expire, why: "its deadline has passed"}
		}
	case deferred.Resolve, deferred.Reject:
		return f.resolution()
	case deferred.Add:
		return f.addition()
	}
	return decision{deed: drop, why: "nothing to do"}
}

// overtakes: a later hold or release has been carried out already. The order of
// commands is that of their messages: a hold that is met after the release that
// followed it must not hold for ever.
func overtakes(r *deferred.Record, c *deferred.Command) bool { return r != nil && r.Obeyed >= c.Seq }

// resolution: a token cannot be judged before the promise is seen. So the
// command waits for it as the message that it is; a record made of it could be
// anybody's.
func (f *facts) resolution() decision {
	switch r := f.record; {
	case r == nil || !r.Seen:
		return decision{deed: early, why: "no promise of this id is known"}
	case r.State == deferred.Waiting && f.command.Token.Opens(r):
		return decision{deed: resolve, why: "settled from outside"}
	}
	return decision{deed: setAside, why: "the token is not that of a promise"}
}

func (f *facts) addition() decision {
	switch r := f.record; {
	case r == nil || !r.Seen:
		return decision{deed: early, why: "no join of this id is known"}
	case !grows(r):
		return decision{deed: setAside, why: "it is not a join that waits"}
	}
	all := withMembers(f.record, f.command.Members)
	switch err := deferred.CheckMembersSize(all); {
	case len(all) == len(f.record.Waits.On):
		return decision{deed: evaluate, why: "members were added"}
	case err != nil:
		return decision{deed: setAside, why: err.Error()}
	}
	return decision{deed: add, why: "members were added"}
}

// withMembers are the members of a join and those that are new.
func withMembers(r *deferred.Record, members []deferred.ID) []deferred.ID {
	all, has := slices.Clip(r.Waits.On), setOf(r.Waits.On)
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

// change writes into a record what a command asks for that settles nothing;
// whether it may is decided before.
func change(r *deferred.Record, c *deferred.Command) {
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

// settleOutside settles a promise as the command says.
func settleOutside(r *deferred.Record, c *deferred.Command) {
	if c.Verb == deferred.Resolve {
		r.Settle(deferred.Succeeded, nil)
		r.Result = c.Result
	} else {
		r.Settle(deferred.Failed, c.Failure)
	}
	r.SettledBy = c.By
}

// obey carries out a command that settles nothing.
func (f *feed) obey(ctx context.Context, h *holding, d deed) error {
	if r := h.record; d == release && r != nil && r.Obeyed == h.command.Seq { // its giver has written that, and may have died before he rang
		return f.ring(ctx, r.ID)
	}
	r := h.next()
	change(r, h.command)
	if err := h.write(ctx, r, time.Time{}); err != nil {
		return err
	}
	switch d {
	case release:
		return f.ring(ctx, r.ID)
	case handle:
		return f.finish(ctx, h)
	}
	return nil
}

// ring has the schedule of an id fire now. It is a hint: the call is looked at
// again in any case, only later.
func (q *Queue) ring(ctx context.Context, id deferred.ID) error {
	found, err := q.find(ctx, id)
	if err != nil {
		return err
	}
	for i := range found {
		if found[i].Route != driver.Delay {
			continue
		}
		c, err := wire.Decode(&found[i])
		if err != nil { // an alarm of one that waits
			continue
		}
		c.Due = time.Unix(0, 0) // by nobody's clock: a time that has passed fires at once
		m, err := c.Encode(driver.Delay)
		if err != nil {
			return err
		}
		m.At = c.Due
		return q.put(ctx, m)
	}
	return nil
}
