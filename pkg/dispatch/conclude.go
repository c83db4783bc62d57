package dispatch

import (
	"encoding/json"
	"fmt"

	"zasync/pkg/deferred"
)

// conclusion writes into the record of a waiting deferred what follows from
// those that it waited for, all of which are in h.members. What is larger than
// inline it refers to.
func (h *holding) conclusion(r *deferred.Record, inline int) {
	w, members := r.Waits, h.members
	decisive := first(w.Mode, members)
	switch w.Mode {
	case deferred.JoinAll:
		if decisive < 0 {
			settleAsList(r, members, inline)
			return
		}
		w.Winner = members[decisive].ID
		r.Settle(deferred.Failed, memberFailure(members[decisive]))
	case deferred.JoinAllSettled:
		settleAsList(r, members, inline)
	case deferred.JoinAny:
		if decisive < 0 {
			r.Settle(deferred.Failed, allFailed(members))
			return
		}
		w.Winner = members[decisive].ID
		settleAs(r, members[decisive], inline)
	default: // a race, an adoption, and a callback whose parent does not exist
		if w.Mode == deferred.JoinRace {
			w.Winner = members[decisive].ID
		}
		settleAs(r, members[decisive], inline)
	}
}

// memberFailure keeps the kind, so that an errback of the join is chosen by it.
func memberFailure(m *deferred.Record) *deferred.Failure {
	f := deferred.Failure{Kind: string(m.State), Message: string(m.State)}
	if m.Failure != nil {
		f = *m.Failure
	}
	f.Member = m.ID
	return &f
}

// maxListed bounds the causes that are named.
const maxListed = 16

func allFailed(members []*deferred.Record) *deferred.Failure {
	f := &deferred.Failure{Kind: deferred.KindAllFailed, Message: fmt.Sprintf("none of %d members has succeeded", len(members))}
	for _, m := range members[:min(len(members), maxListed)] {
		cause := memberFailure(m)
		f.Chain = append(f.Chain, deferred.Cause{Kind: cause.Kind, Message: cut(string(m.ID) + ": " + cause.Message)})
	}
	return f
}

func cut(s string) string { return cutAt(s, 1<<10) }

// settleAsList stores the list of results, or that it is to be made of those of
// the members, which are kept with it: if they are large, that is. Putting many
// small ones together would cost a read of each. A list that could not be read
// again is a failure. How deep a result is that is somewhere else is not known; it may
// be as deep as is stored, and a list of it can be read all the same.
func settleAsList(r *deferred.Record, members []*deferred.Record, inline int) {
	if err := fitIntoList(r.Waits.Mode, members); err != nil {
		r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindResultCodec, Message: cut(err.Error())})
		return
	}
	size, refers := 1, false // with brackets and commas
	for _, m := range members {
		size += len(m.Result.Data) + len(",")
		refers = refers || m.ResultOf != ""
	}
	most := min(deferred.MaxResultSize, inline*len(members))
	if !refers && (size <= most || len(members) == 0) {
		list, err := resultOf(r.Waits.Mode, members)
		if err != nil {
			r.Settle(deferred.Failed, &deferred.Failure{Kind: deferred.KindResultCodec, Message: cut(err.Error())})
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
		if isUnknown(m) { // which no record will tell
			r.Waits.Unknown = append(r.Waits.Unknown, m.ID)
		}
	}
}

// fitIntoList reports a result that could not be read as a part of the list.
func fitIntoList(mode deferred.JoinMode, members []*deferred.Record) error {
	levels := 1
	if mode == deferred.JoinAllSettled { // what tells an outcome is an object
		levels = 2
	}
	for _, m := range members {
		if err := m.Result.CheckWithin(levels); err != nil {
			return fmt.Errorf("dispatch: result of %s: %w", m.ID, err)
		}
	}
	return nil
}

// resultOf is the result of a join as JSON. Those of its members are in it as
// they are shown to people: a list cannot have several codecs.
func resultOf(mode deferred.JoinMode, members []*deferred.Record) ([]byte, error) {
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
