package deferred

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// JoinMode says when a join settles, and as what.
type JoinMode string

// The modes. The first four are those of a [Join].
const (
	// JoinAll: when all have succeeded, with the list of their results in the
	// order of the members. At once when one has not: failed, with its failure.
	// Of none: succeeded with an empty list.
	JoinAll JoinMode = "all"
	// JoinAllSettled: when all have settled, always succeeded, with a list of
	// [MemberOutcome]. Of none: an empty list.
	JoinAllSettled JoinMode = "all-settled"
	// JoinAny: when one has succeeded, with its result. When none has, failed
	// with [KindAllFailed], whose chain has the failures of the first 16. Of none:
	// the same.
	JoinAny JoinMode = "any"
	// JoinRace: when one has settled, exactly as it did. Of none: refused, for it
	// would never end.
	JoinRace JoinMode = "race"

	// AdoptInner: a handler has returned another deferred, whose outcome is taken over.
	AdoptInner JoinMode = "adopt"
	// AfterParent: a callback that was added later, and runs when its parent has settled.
	AfterParent JoinMode = "after"
)

// MaxMembersSize is how many bytes the ids of a join's members may have as a
// JSON array: nearly 15,000 of 32 characters.
const MaxMembersSize = 512 << 10

// A Join is what a call that is not performed waits for.
type Join struct {
	Mode    JoinMode
	Members []ID // in the order of the results; none twice
	// CancelRest cancels, once the join has settled, the members that have not,
	// unless something else hangs on them.
	CancelRest bool
}

// Waits says what a deferred waits for, and how far it has come.
type Waits struct {
	Mode       JoinMode `json:"mode"`
	On         []ID     `json:"on"`
	CancelRest bool     `json:"cancel_rest,omitempty"`
	Attached   int      `json:"attached,omitempty"` // so many of On, from the front, know of this deferred
	Winner     ID       `json:"winner,omitempty"`   // of any and race: whose outcome it is
	Released   bool     `json:"released,omitempty"` // settled, and none of On is needed any more
	Unknown    []ID     `json:"unknown,omitempty"`  // of a list that is made of On: those that had failed, for nobody knew them
}

// MemberOutcome is an element of the result of [AllSettled].
type MemberOutcome struct {
	ID      ID       `json:"id"`
	State   State    `json:"state"`
	Result  any      `json:"result,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
}

// All gives the deferred of a join: see [JoinAll]. The members may be deferreds
// of any kind of a queue, also such that nobody has seen yet; one of this process
// only is an [*InputError]. They are kept for as long as the join waits, and it holds neither a slot nor a message meanwhile.
func All(ctx context.Context, s Submitter, members ...*Deferred) (*Deferred, error) {
	return submitJoin(ctx, s, JoinAll, members)
}

// AllSettled gives the deferred of a join: see [JoinAllSettled].
func AllSettled(ctx context.Context, s Submitter, members ...*Deferred) (*Deferred, error) {
	return submitJoin(ctx, s, JoinAllSettled, members)
}

// Any gives the deferred of a join: see [JoinAny].
func Any(ctx context.Context, s Submitter, members ...*Deferred) (*Deferred, error) {
	return submitJoin(ctx, s, JoinAny, members)
}

// Race gives the deferred of a join: see [JoinRace].
func Race(ctx context.Context, s Submitter, members ...*Deferred) (*Deferred, error) {
	return submitJoin(ctx, s, JoinRace, members)
}

func submitJoin(ctx context.Context, s Submitter, m JoinMode, members []*Deferred) (*Deferred, error) {
	return SubmitOne(ctx, s, NewJoin(m, members...))
}

// NewJoin gives a join as a call, whose other fields are the caller's to set:
// queue, id, labels, deadline, keep and callbacks. With a deferred of this process
// among its members it is refused when it is submitted.
func NewJoin(m JoinMode, members ...*Deferred) Call {
	return Call{Name: string(m), Join: &Join{Mode: m, Members: memberIDs(members)}}
}

// AddMembers adds members to a join that waits still; those that it has already
// are none. Nil means that the join waits for them. To keep a join open until
// you say that no more will come, make a promise one of its members.
func (d *Deferred) AddMembers(ctx context.Context, members ...*Deferred) error {
	return d.ledger.Do(ctx, Command{Verb: Add, ID: d.id, Members: memberIDs(members)})
}

// hereOnly marks a member that is known in this process only. No queue takes an
// id that has it.
const hereOnly = "this process only: "

func memberIDs(members []*Deferred) (ids []ID) {
	for _, d := range members {
		id := d.id
		if _, here := d.ledger.(*local); here {
			id = hereOnly + id
		}
		ids = append(ids, id)
	}
	return ids
}

func (j *Join) check(c *Call) error {
	switch {
	case !slices.Contains([]JoinMode{JoinAll, JoinAllSettled, JoinAny, JoinRace}, j.Mode):
		return &InputError{Field: FieldJoin, Value: string(j.Mode), Rule: `must be "all", "all-settled", "any" or "race"`}
	case j.Mode == JoinRace && len(j.Members) == 0:
		return &InputError{Field: FieldJoin, Value: string(j.Mode), Rule: "of no members would never end: give it some"}
	case slices.Contains(j.Members, c.ID):
		return &InputError{Field: FieldMembers, Value: string(c.ID), Rule: "must not have the join itself among them"}
	}
	if err := c.checkUnperformed(FieldJoin); err != nil {
		return err
	}
	return checkMembers(j.Members)
}

// checkUnperformed refuses terms that only an attempt can keep.
func (c *Call) checkUnperformed(f Field) error {
	if !c.Args.IsZero() || !c.NotBefore.IsZero() || c.Delay != 0 || !c.BeginBy.IsZero() || c.Retries != 0 || c.Timeout != 0 || c.After != nil {
		return &InputError{Field: f, Value: c.Name, Rule: "is not performed: it takes no arguments, no time to start, no timeout, no retries and no parent; set a deadline instead"}
	}
	return nil
}

// CheckMembersSize reports members that are too many for a join.
func CheckMembersSize(members []ID) error {
	size := len("[]")
	for _, id := range members {
		size += len(id) + len(`"",`)
	}
	if size > MaxMembersSize {
		return &SizeError{Field: FieldMembers, Size: size, Limit: MaxMembersSize}
	}
	return nil
}

func checkMembers(members []ID) error {
	seen := make(map[ID]bool, len(members))
	for _, id := range members {
		if stranger, here := strings.CutPrefix(string(id), hereOnly); here {
			return &InputError{Field: FieldMembers, Value: stranger, Rule: "must be of a queue, and this one is of this process only (Go, Resolved, Rejected): await it here, or submit a call in its place"}
		}
		if err := id.Check(); err != nil {
			return fmt.Errorf("deferred: members: %w", err)
		}
		if seen[id] {
			return &InputError{Field: FieldMembers, Value: string(id), Rule: "must not be there twice"}
		}
		seen[id] = true
	}
	return CheckMembersSize(members)
}
