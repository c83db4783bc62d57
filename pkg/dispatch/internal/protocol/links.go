package protocol

import (
	"slices"

	"zasync/pkg/deferred"
)

// ReattachEntry restores the entry of a deferred that had detached from the record.
func ReattachEntry(x *deferred.Record, id deferred.ID) (changed bool) {
	e := x.Attached(id)
	switch {
	case e != nil && e.Settled:
		e.Settled = false
	case e == nil && HasRoom(x):
		x.Callbacks = append(x.Callbacks, deferred.RecordedCallback{ID: id, Waiter: true, On: deferred.OnBoth, Fired: true})
	default:
		return false
	}
	x.Holds = x.ResultOf != ""
	return true
}

// WaiterTakes reports whether a waiting deferred handles the failure of one of its
// members. Its entry there names only the outcomes that wake it. A waiter that settled earlier has not
// seen the failure.
func WaiterTakes(w, r *deferred.Record) bool {
	switch {
	case w.State.Settled() && w.Settled.Before(r.Settled):
		return false
	case w.Parent != nil && w.Parent.ID == r.ID:
		return (&deferred.After{On: w.Parent.On, Kinds: w.Parent.Kinds}).Takes(r)
	}
	return w.Waits != nil
}

// Owes reports whether a settled record may have callbacks to fire or links to release.
func Owes(r *deferred.Record) bool {
	return r.Unfired() || StillAttached(r) || r.Parent != nil && !r.Parent.Released || r.ResultOf != "" || r.Carried || r.Unhandled()
}

// MarkDetached notes that the parent and the members of a deferred know that it has
// settled. It may still hold the sources of its result.
func MarkDetached(r *deferred.Record) {
	if r.Parent != nil {
		r.Parent.Released = true
	}
	if r.Waits != nil && r.Waits.Mode != deferred.AfterParent {
		r.Waits.Released = true
	}
}

// MarkFired notes the callbacks whose messages are stored.
func MarkFired(r *deferred.Record, fired map[deferred.ID]bool) {
	for i := range r.Callbacks {
		if fired[r.Callbacks[i].ID] {
			r.Callbacks[i].Fired = true
		}
	}
}

// maxGone bounds the entries of former waiters in a settled record.
const maxGone = 64

// DetachEntry notes in a record that a deferred does not need it any more.
//
//   - The entry of a waiter in an open record is deleted, so that the record does not
//     grow with every former waiter.
//   - Any other entry stays, marked as settled: readers of a settled record look at it,
//     and a cancel that is passed on again needs it in a record without a call.
//
// The caller writes the record also if it has no such entry: a slow worker may be
// about to attach the deferred, and its compare-and-set must fail.
func DetachEntry(r *deferred.Record, id deferred.ID) (write bool) {
	i := slices.IndexFunc(r.Callbacks, func(c deferred.RecordedCallback) bool { return c.ID == id })
	switch {
	case i < 0:
		return true
	case !r.Callbacks[i].Waiter:
		write = !r.Callbacks[i].Settled
	case !r.State.Settled() && r.Seen:
		r.Callbacks = slices.Delete(r.Callbacks, i, i+1)
		return true
	default:
		write = true
	}
	r.Callbacks[i].Fired, r.Callbacks[i].Settled = true, true
	forgetWaiters(r)
	return write
}

// Lighten makes a record smaller that is too large for the server: it drops the entries
// of former waiters, and the arguments of a settled record.
func Lighten(r *deferred.Record) {
	r.Callbacks = slices.DeleteFunc(r.Callbacks, func(c deferred.RecordedCallback) bool { return c.Waiter && c.Settled })
	if r.State.Settled() {
		r.Args = deferred.Content{}
	}
}

// forgetWaiters deletes the oldest entries of former waiters beyond maxGone.
func forgetWaiters(r *deferred.Record) {
	gone := 0
	for i := range r.Callbacks {
		if c := &r.Callbacks[i]; c.Waiter && c.Settled {
			gone++
		}
	}
	r.Callbacks = slices.DeleteFunc(r.Callbacks, func(c deferred.RecordedCallback) bool {
		if gone <= maxGone || !c.Waiter || !c.Settled {
			return false
		}
		gone--
		return true
	})
}

// AllSettled reports whether a settled record can release the sources of its result:
// every deferred that hangs on it has settled.
func AllSettled(r *deferred.Record) bool {
	return r.State.Settled() && (StillAttached(r) || r.Holds) && NoDependents(r)
}

// WaiterOf is the entry of a waiting deferred in the records of its members: it names
// the outcomes that wake it. An all-settled join listens to one member at a time.
func WaiterOf(r *deferred.Record) deferred.RecordedCallback {
	c := deferred.RecordedCallback{ID: r.ID, Waiter: true, On: deferred.OnBoth}
	switch r.Waits.Mode {
	case deferred.JoinAll:
		c.On = deferred.OnFailure
	case deferred.JoinAny:
		c.On = deferred.OnSuccess
	case deferred.JoinAllSettled:
		c.Fired = true
	}
	return c
}

// PassesCancel reports whether a settled deferred cancels its open members that no other
// deferred waits for: when it was cancelled, when it is an adopter that expired, and
// when it is a join with CancelRest. A race that a cancelled member decided was not
// cancelled itself.
func PassesCancel(r *deferred.Record) bool {
	w := r.Waits
	return r.State == deferred.Cancelled && w.Winner == "" || w.CancelRest ||
		r.State == deferred.Expired && w.Mode == deferred.AdoptInner
}

// A Member is the state of a member when its waiter detached from it.
type Member struct {
	Unwanted bool // it is open, and no other deferred waits for it
	Met      bool // its record has met its call, or had the entry of the waiter
}

// MemberOf tells a waiter about one of its members.
func MemberOf(r *deferred.Record, waiter deferred.ID) Member {
	return Member{Unwanted: !r.State.Settled() && !wantedByOthers(r, waiter), Met: r.Seen || r.Attached(waiter) != nil}
}

// wantedByOthers reports whether another waiter than this one is attached.
func wantedByOthers(m *deferred.Record, waiter deferred.ID) bool {
	for _, cb := range m.Callbacks {
		if cb.Waiter && cb.ID != waiter && !cb.Settled {
			return true
		}
	}
	return false
}

// CancelReason is the reason of the cancel that a deferred passes on.
func CancelReason(r *deferred.Record) string {
	switch r.State {
	case deferred.Cancelled:
		if r.Failure != nil {
			return r.Failure.Message
		}
	case deferred.Expired:
		return "its adopter " + string(r.ID) + " has expired"
	}
	return "the join " + string(r.ID) + " has settled without it"
}

// SettleAs gives a record the outcome of another one. It refers to a large result only if
// its own entry keeps that record; otherwise it copies the result.
func SettleAs(r, other *deferred.Record, inline int) {
	if e := other.Attached(r.ID); e == nil || e.Settled {
		inline = deferred.MaxResultSize
	}
	r.SettleAs(other, inline)
	r.Holds = r.ResultOf != ""
}

// Sources are the records in which the result of a settled record lies.
func Sources(r *deferred.Record) []deferred.ID {
	switch {
	case r.ResultOf == "":
		return nil
	case r.ResultOf != r.ID:
		return []deferred.ID{r.ResultOf}
	case r.Waits != nil:
		return r.Waits.On
	}
	return nil
}

// NoDependents reports whether every deferred that hangs on the record has settled.
func NoDependents(r *deferred.Record) bool {
	return !slices.ContainsFunc(r.Callbacks, func(c deferred.RecordedCallback) bool { return !c.Settled })
}

// MaybeDetached reports whether a record may have released its sources once before.
func MaybeDetached(r *deferred.Record) bool {
	switch {
	case !r.State.Settled() || r.ResultOf == "":
		return false
	case r.Parent != nil && r.Parent.ID == r.ResultOf:
		return r.Parent.Released
	}
	return r.Waits != nil && r.Waits.Released
}

// IsSettled reports whether there is a record, and it is settled.
func IsSettled(r *deferred.Record) bool { return r != nil && r.State.Settled() }
