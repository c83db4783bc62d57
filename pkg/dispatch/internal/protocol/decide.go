package protocol

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/wire"
)

// Action is what is to be done with a delivery.
type Action string

const (
	Claim       Action = "claim"        // perform it
	TakeOver    Action = "take over"    // perform it: the worker that had it is dead
	DeadLetter  Action = "poison"       // settle as failed: too many workers died with it
	Expire      Action = "expire"       // settle as expired: a time has passed by which it was to begin, or to settle
	Cancel      Action = "cancel"       // settle as cancelled
	Resolve     Action = "resolve"      // settle a promise as the command says
	Skip        Action = "pass through" // settle with the parent's outcome: the other branch was taken
	Conclude    Action = "conclude"     // settle as what it waited for asks
	FailCycle   Action = "refuse"       // settle as failed: it would wait for itself
	Merge       Action = "merge"        // settled before its call was seen: take the call's callbacks in
	Finish      Action = "finish"       // settled: do what may be missing, then acknowledge
	Wait        Action = "wait"         // a join, a promise, a callback of an open parent: record that it waits
	Evaluate    Action = "evaluate"     // look at what it waits for
	Hold        Action = "hold"         // record that it is held
	Release     Action = "release"      // record that it is held no longer, and wake it
	Add         Action = "add"          // take more members into a join
	MarkHandled Action = "handle"       // record that its failure has been seen
	Forward     Action = "forward"      // the parent has settled: put the callback into its lane
	Park        Action = "park"         // not its time: store a schedule, then acknowledge
	ParkWake    Action = "rest"         // waits: store an alarm, then acknowledge
	Discard     Action = "drop"         // a word that means nothing now: acknowledge
	RetryLater  Action = "early"        // a word about what nobody has seen yet: let it come again, but not for ever
	GiveBack    Action = "give back"    // not ours, and not done: let it come again
	Disown      Action = "disown"       // under the number of another message: keep it where it is seen
	SetAside    Action = "set aside"    // another call under the id, or a word that cannot be obeyed: keep it where it is seen
)

// Decision is a deed with what it needs.
type Decision struct {
	Action Action
	Until  time.Time // of park
	Why    string    // for the log
}

// Facts are what a decision rests on: one read of the record, and of the
// parent's. Deciding changes nothing, so a conflict in doing what was decided
// leads back here with new facts.
type Facts struct {
	Record  *deferred.Record  // nil: there is none
	Latest  bool              // the record is the leader's; else it may be of any age
	Parent  *deferred.Record  // of a callback; nil: there is none
	Call    *wire.Call        // nil: the message is a command
	Command *deferred.Command // nil: the message is a call
	Sent    time.Time         // when the command was, or the call
	Digest  string            // of the call
	Foreign bool              // the message has the number of another one
	Now     time.Time         // the server's

	Self       string // the incarnation of this worker
	Performing bool   // this worker performs the call of this id, or is claiming or committing it
	OwnerAlive bool   // the worker that the record names has a heartbeat, or may have one
	MaxDeaths  int
	Grace      time.Duration // for a parent that nobody has seen
}

const (
	heldLook     = 10 * time.Second // how often a held call is looked at
	ParentLook   = 2 * time.Second  // the same of what waits and may not be woken, for a start
	ParentSeldom = 5 * time.Minute  // and in the end
)

// Suffices: what was read may be as old as it may be, and the decision still stands.
// Most deeds end with a compare-and-set, which tells, or give the message back. These
// end the message without one, now or after a while, and rest on the leader's answer.
func (f *Facts) Suffices(d Decision) bool {
	switch d.Action {
	case Discard, ParkWake, SetAside, RetryLater:
		return f.Latest
	case GiveBack: // to come again and again, until a replica knows more
		return f.Latest || f.Performing
	case Finish: // an outcome is final, but what was sent after it may be about another deferred of the id
		return f.Latest || !f.Sent.After(f.Record.Settled)
	}
	return true
}

// Decide is the table of what a worker does with a message. Only what it says
// may be done, and a message is acknowledged only when its duty is done, or
// stored elsewhere.
func Decide(f Facts) Decision {
	r := f.Record
	if f.Call != nil && f.Foreign && (r == nil || !r.Seen) {
		return Decision{Action: Disown, Why: wire.WhyForeign}
	}
	if f.Call != nil && r != nil && r.Seen && r.Digest != "" && r.Digest != f.Digest {
		return Decision{Action: SetAside, Why: "another call has this id"}
	}
	if r != nil && r.State.Settled() {
		switch {
		case f.Call != nil && !r.Seen:
			return Decision{Action: Merge, Why: "settled before its call was seen"}
		case f.Call == nil && f.Command.Verb == deferred.Handle && !r.Handled:
			return Decision{Action: MarkHandled, Why: "its failure has been seen"}
		}
		return Decision{Action: Finish, Why: "settled"}
	}
	switch {
	case f.Call == nil:
		return f.obey()
	case r == nil:
		return f.fresh()
	case r.State == deferred.Running:
		return f.running()
	case r.State == deferred.Held && !f.unperformed(): // what is not performed cannot be held; nobody knew that it is not
		return f.held()
	case r.State == deferred.Waiting:
		return f.waiting()
	}
	return f.fresh()
}

// fresh: no record, a stub, pending or scheduled.
func (f *Facts) fresh() Decision {
	if f.unperformed() {
		return Decision{Action: Wait, Why: "not performed"}
	}
	return f.ready()
}

// unperformed: a join, or a promise.
func (f *Facts) unperformed() bool { return f.Call.Join != nil || f.Call.Promise != "" }

// waiting: a callback whose parent has settled is a call like any other.
func (f *Facts) waiting() Decision {
	if w := f.Record.Waits; w != nil && w.Mode == deferred.AfterParent && f.Parent != nil && f.Parent.State.Settled() {
		return f.ready()
	}
	return Decision{Action: Evaluate, Why: "waits"}
}

func (f *Facts) held() Decision {
	if f.overdue() || f.Record.Attempt == 0 && f.late() {
		return Decision{Action: Expire, Why: "its time has passed"}
	}
	return f.until(f.Now.Add(heldLook), "held")
}

// until parks, but no longer than until the deadline.
func (f *Facts) until(t time.Time, why string) Decision {
	if d := f.deadline(); !d.IsZero() && d.Before(t) {
		t = d
	}
	return Decision{Action: Park, Until: t, Why: why}
}

func (f *Facts) deadline() time.Time {
	if f.Record != nil && f.Record.Seen {
		return f.Record.Deadline
	}
	if f.Call != nil {
		return f.Call.Deadline
	}
	return time.Time{}
}

func (f *Facts) overdue() bool {
	d := f.deadline()
	return !d.IsZero() && !f.Now.Before(d)
}

// running: a redelivery proves nothing about the owner. Only a heartbeat that
// is missing does, or that the owner is this worker and performs no such call.
func (f *Facts) running() Decision {
	r := f.Record
	switch {
	case f.Performing: // also as an attempt that lost its lease, and does not know it yet
		return Decision{Action: GiveBack, Why: "performed here"}
	case r.Token.Worker == f.Self && f.overdue():
		return Decision{Action: Expire, Why: "its deadline has passed"}
	case r.Token.Worker == f.Self:
		return Decision{Action: Claim, Why: "claimed here and let go"}
	case f.OwnerAlive:
		return Decision{Action: GiveBack, Why: "running elsewhere"}
	case f.overdue():
		return Decision{Action: Expire, Why: "its deadline has passed"}
	case r.Counts.Deaths+1 >= f.MaxDeaths:
		return Decision{Action: DeadLetter, Why: "its workers died too often"}
	}
	return Decision{Action: TakeOver, Why: "its worker is dead"}
}

// ready: no record, a stub, pending or scheduled. That a message is here does
// not mean that it is due: schedules are alarms, not truth.
func (f *Facts) ready() Decision {
	r := f.Record
	due, attempts := f.Call.NotBefore, 0
	if r != nil {
		attempts = r.Attempt
		if r.NotBefore.After(due) {
			due = r.NotBefore
		}
	}
	switch {
	case f.Performing:
		return Decision{Action: GiveBack, Why: "being claimed or given back here"}
	case f.doneBefore():
		return Decision{Action: Discard, Why: "its parent knows that it has settled"}
	case f.otherBranch():
		return Decision{Action: Skip, Why: "the other branch was taken"}
	case f.overdue():
		return Decision{Action: Expire, Why: "its deadline has passed"}
	case f.Call.After != nil && (f.Parent == nil || !f.Parent.State.Settled()):
		return Decision{Action: Wait, Why: "its parent is open"}
	case f.Now.Before(due):
		return f.until(due, "not before")
	case attempts == 0 && f.late():
		return Decision{Action: Expire, Why: "begin-by has passed"}
	}
	return Decision{Action: Claim, Why: "free"}
}

// doneBefore: a callback without a record whose parent has noted that it settled has
// been forgotten. Its message was fired again by a worker that had stood still.
func (f *Facts) doneBefore() bool {
	if f.Record != nil || f.Call.After == nil || f.Parent == nil {
		return false
	}
	e := f.Parent.Attached(f.Call.ID)
	return e != nil && !e.Waiter && e.Settled
}

func (f *Facts) late() bool { return !f.Call.BeginBy.IsZero() && f.Now.After(f.Call.BeginBy) }

// otherBranch: what does not run has no time to wait for, and none to miss. It
// trusts the parent's record, never its own message: a message may be fired too
// early, or by hand.
func (f *Facts) otherBranch() bool {
	a, p := f.Call.After, f.Parent
	return a != nil && p != nil && p.State.Settled() && !a.Takes(p)
}
