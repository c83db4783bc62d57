package protocol

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/wire"
)

// An Action is a worker's step for a delivery.
type Action string

const (
	Claim       Action = "claim"        // perform it
	TakeOver    Action = "take over"    // perform it: its worker is dead
	DeadLetter  Action = "poison"       // settle as failed: too many workers died with it
	Expire      Action = "expire"       // settle as expired: its begin-by or its deadline has passed
	Cancel      Action = "cancel"       // settle as cancelled
	Resolve     Action = "resolve"      // settle a promise as the command says
	Skip        Action = "pass through" // settle with the parent's outcome: the other branch was taken
	Conclude    Action = "conclude"     // settle by the outcomes of its members
	FailCycle   Action = "refuse"       // settle as failed: it would wait for itself
	Merge       Action = "merge"        // settled before its call was seen: take the call's callbacks in
	Finish      Action = "finish"       // settled: do the missing steps, then acknowledge
	Wait        Action = "wait"         // a join, a promise, a callback of an open parent: record that it waits
	Evaluate    Action = "evaluate"     // look at its members or its parent
	Hold        Action = "hold"         // record that it is held
	Release     Action = "release"      // record that its hold is over, and wake it
	Add         Action = "add"          // take more members into a join
	MarkHandled Action = "handle"       // record that a person or a handler has seen its failure
	Forward     Action = "forward"      // its parent has settled: put the callback into its lane
	Park        Action = "park"         // not its time: store a schedule, then acknowledge
	ParkWake    Action = "rest"         // it waits: store an alarm, then acknowledge
	Discard     Action = "drop"         // the message means nothing now: acknowledge
	RetryLater  Action = "early"        // a command about an unknown id: let it come again, but not for ever
	GiveBack    Action = "give back"    // another worker performs it: let it come again
	Disown      Action = "disown"       // its id is the number of another message: set it aside without a record
	SetAside    Action = "set aside"    // another call has the id, or the command is impossible: move it to the stream for people
)

// A Decision is an action with its time and its reason.
type Decision struct {
	Action Action
	Until  time.Time // of Park and ParkWake
	Why    string    // for the log
}

// Facts are the input of a decision: one read of the record and of its parent, and the
// message. To decide changes nothing: after a conflict a worker reads again and decides
// anew.
type Facts struct {
	Record  *deferred.Record  // nil: there is none
	Latest  bool              // the leader gave the record; else it may be stale
	Parent  *deferred.Record  // of a callback; nil: there is no such record
	Call    *wire.Call        // nil: the message is a command
	Command *deferred.Command // nil: the message is a call
	Sent    time.Time         // when the server stored the message
	Digest  string            // of the call
	Foreign bool              // the id is the number of another message
	Now     time.Time         // the server's

	Self       string // the incarnation of this worker
	Performing bool   // this worker performs the call of this id, or is claiming or committing it
	OwnerAlive bool   // the worker in the record is alive, or may be
	MaxDeaths  int
	Grace      time.Duration // how long a callback waits for an unknown parent
}

const (
	heldLook     = 10 * time.Second // the period of looks at a held call
	ParentLook   = 2 * time.Second  // the first pause between looks of a waiter that may get no wake
	ParentSeldom = 5 * time.Minute  // the longest
)

// Suffices reports whether a decision stands although the record may be stale. Most
// actions end with a compare-and-set, which fails then, or give the message back. The
// actions below end the message without a write, so they need the leader's answer.
func (f *Facts) Suffices(d Decision) bool {
	switch d.Action {
	case Discard, ParkWake, SetAside, RetryLater:
		return f.Latest
	case GiveBack: // the message would come again until the replica has caught up
		return f.Latest || f.Performing
	case Finish: // an outcome is final, but a later message may be about a new deferred under the id
		return f.Latest || !f.Sent.After(f.Record.Settled)
	}
	return true
}

// Decide is the table of actions.
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
	case r.State == deferred.Held && !f.unperformed(): // a join or a promise cannot be held; the hold came before its call
		return f.held()
	case r.State == deferred.Waiting:
		return f.waiting()
	}
	return f.fresh()
}

// fresh decides on a call without a record, or with one that is a stub, pending or
// scheduled.
func (f *Facts) fresh() Decision {
	if f.unperformed() {
		return Decision{Action: Wait, Why: "not performed"}
	}
	return f.ready()
}

// unperformed reports whether no handler performs the call: it is a join or a promise.
func (f *Facts) unperformed() bool { return f.Call.Join != nil || f.Call.Promise != "" }

// waiting decides on a deferred that waits. A callback whose parent has settled is a
// call like any other.
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

// until parks the call until a time, or until its deadline if that is earlier.
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

// running decides on a call that its record calls running. A redelivery proves nothing
// about the owner. A missing heartbeat does; so does that the owner is this worker and
// performs no such call.
func (f *Facts) running() Decision {
	r := f.Record
	switch {
	case f.Performing: // also an attempt that has lost its lease and does not know it yet
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

// ready decides whether a call may begin. A message proves no time: a schedule is an
// alarm, the record is the truth.
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

// doneBefore reports whether a callback has settled and its record has expired: its
// parent says so. A worker that stood still may have fired its message again.
func (f *Facts) doneBefore() bool {
	if f.Record != nil || f.Call.After == nil || f.Parent == nil {
		return false
	}
	e := f.Parent.Attached(f.Call.ID)
	return e != nil && !e.Waiter && e.Settled
}

func (f *Facts) late() bool { return !f.Call.BeginBy.IsZero() && f.Now.After(f.Call.BeginBy) }

// otherBranch reports whether the parent took the other branch, by the parent's record.
// The message proves nothing: any client may send it. Times do not matter to a
// callback that does not run.
func (f *Facts) otherBranch() bool {
	a, p := f.Call.After, f.Parent
	return a != nil && p != nil && p.State.Settled() && !a.Takes(p)
}
