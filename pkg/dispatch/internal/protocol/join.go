package protocol

import (
	"encoding/json"
	"fmt"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/wire"
)

// MemberFailure is the failure of a join by one of its members. It keeps the kind, by
// which the errbacks of the join are chosen.
func MemberFailure(m *deferred.Record) *deferred.Failure {
	f := deferred.Failure{Kind: string(m.State), Message: string(m.State)}
	if m.Failure != nil {
		f = *m.Failure
	}
	f.Member = m.ID
	return &f
}

// maxListed bounds the causes in a failure of all.
const maxListed = 16

// AllFailed is the failure of an any-join without a success.
func AllFailed(members []*deferred.Record) *deferred.Failure {
	f := &deferred.Failure{Kind: deferred.KindAllFailed, Message: fmt.Sprintf("none of %d members has succeeded", len(members))}
	for _, m := range members[:min(len(members), maxListed)] {
		cause := MemberFailure(m)
		f.Chain = append(f.Chain, deferred.Cause{Kind: cause.Kind, Message: Cut(string(m.ID) + ": " + cause.Message)})
	}
	return f
}

// Cut shortens the text of a failure to a kilobyte.
func Cut(s string) string { return wire.CutText(s, 1<<10) }

// SettleAsList settles a join with the list of its members' results. Small results are
// copied into it. For large ones it refers to the members, which are then kept as long
// as the join. A list that no codec could read again is a failure; the depth of a
// result that lies in another record is not known here.
func SettleAsList(r *deferred.Record, members []*deferred.Record, inline int) {
	if err := fitIntoList(r.Waits.Mode, members); err != nil {
		r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindResultCodec, Message: Cut(err.Error())})
		return
	}
	size, refers := 1, false // with brackets and commas
	for _, m := range members {
		size += len(m.Result.Data) + len(",")
		refers = refers || m.ResultOf != ""
	}
	most := min(deferred.MaxResultSize, inline*len(members))
	if !refers && (size <= most || len(members) == 0) {
		list, err := ResultOf(r.Waits.Mode, members)
		if err != nil {
			r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindResultCodec, Message: Cut(err.Error())})
			return
		}
		if len(list) <= most || len(members) == 0 {
			r.Settle(deferred.Succeeded, nil)
			r.Result = deferred.JSON(list)
			return
		}
	}
	r.Settle(deferred.Succeeded, nil)
	r.ResultOf, r.Holds, r.Waits.Unknown = r.ID, true, nil
	for _, m := range members {
		if IsUnknown(m) { // no record will name it later
			r.Waits.Unknown = append(r.Waits.Unknown, m.ID)
		}
	}
}

// fitIntoList reports a result that is nested too deep for an element of the list.
func fitIntoList(mode deferred.JoinMode, members []*deferred.Record) error {
	levels := 1
	if mode == deferred.JoinAllSettled { // each element is an object with the outcome
		levels = 2
	}
	for _, m := range members {
		if err := m.Result.CheckWithin(levels); err != nil {
			return fmt.Errorf("dispatch: result of %s: %w", m.ID, err)
		}
	}
	return nil
}

// ResultOf is the list of a join as JSON. Results of other codecs are in it as they are
// shown to people, since a list has one codec.
func ResultOf(mode deferred.JoinMode, members []*deferred.Record) ([]byte, error) {
	list := make([]json.RawMessage, len(members))
	for i, m := range members {
		element, err := m.Result.JSON()
		if err == nil && mode == deferred.JoinAllSettled {
			element, err = memberOutcome(m, element)
		}
		if err != nil {
			return nil, fmt.Errorf("dispatch: result of %s: %w", m.ID, err)
		}
		list[i] = element
	}
	data, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("dispatch: result of a join: %w", err)
	}
	return data, nil
}

func memberOutcome(m *deferred.Record, result []byte) ([]byte, error) {
	o := deferred.MemberOutcome{ID: m.ID, State: m.State, Failure: m.Failure}
	if m.State == deferred.Succeeded {
		o.Result = json.RawMessage(result)
	}
	return json.Marshal(o)
}

// UnknownMember is the record of a member that does not exist. It has no time of
// settling.
func UnknownMember(id deferred.ID) *deferred.Record {
	return &deferred.Record{ID: id, State: deferred.Failed, Failure: &deferred.Failure{
		Kind: deferred.KindParentUnknown, Message: "no call was ever seen under the id " + string(id),
	}}
}

// IsUnknown reports whether a record is such a member.
func IsUnknown(m *deferred.Record) bool {
	return m.Settled.IsZero() && m.Failure != nil && m.Failure.Kind == deferred.KindParentUnknown
}

// Decides reports whether the outcome of one member settles its waiter.
func Decides(m deferred.JoinMode, r *deferred.Record) bool {
	if !IsSettled(r) {
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

// First is the index of the member that decides and settled before the others, or -1. A
// member that does not exist counts as the last to settle.
func First(m deferred.JoinMode, records []*deferred.Record) int {
	found := -1
	at := func(r *deferred.Record) time.Time {
		if r.Settled.IsZero() {
			return time.Unix(1<<40, 0)
		}
		return r.Settled
	}
	for i, r := range records {
		if Decides(m, r) && (found < 0 || at(r).Before(at(records[found]))) {
			found = i
		}
	}
	return found
}

// SetOf is a list of ids as a set.
func SetOf(ids []deferred.ID) map[deferred.ID]bool {
	set := make(map[deferred.ID]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

// SettleWaiting settles a waiting deferred by the outcomes of its members, in their
// order. It refers to results that are larger than inline.
func SettleWaiting(r *deferred.Record, members []*deferred.Record, inline int) {
	w := r.Waits
	decisive := First(w.Mode, members)
	switch w.Mode {
	case deferred.JoinAll:
		if decisive < 0 {
			SettleAsList(r, members, inline)
			return
		}
		w.Winner = members[decisive].ID
		r.Settle(deferred.Failed, MemberFailure(members[decisive]))
	case deferred.JoinAllSettled:
		SettleAsList(r, members, inline)
	case deferred.JoinAny:
		if decisive < 0 {
			r.Settle(deferred.Failed, AllFailed(members))
			return
		}
		w.Winner = members[decisive].ID
		SettleAs(r, members[decisive], inline)
	default: // a race, an adoption, and a callback whose parent does not exist
		if w.Mode == deferred.JoinRace {
			w.Winner = members[decisive].ID
		}
		SettleAs(r, members[decisive], inline)
	}
}
