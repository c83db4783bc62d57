package dispatch

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/internal/wire"
)

// deed is what is to be done with a delivery.
type deed string

const (
	claim       deed = "claim"        // perform it
	takeOver    deed = "take over"    // perform it: the worker that had it is dead
	poison      deed = "poison"       // settle as failed: too many workers died with it
	expire      deed = "expire"       // settle as expired: a time has passed by which it was to begin, or to settle
	cancel      deed = "cancel"       // settle as cancelled
	resolve     deed = "resolve"      // settle a promise as the command says
	passThrough deed = "pass through" // settle with the parent's outcome: the other branch was taken
	conclude    deed = "conclude"     // settle as what it waited for asks
	refuse      deed = "refuse"       // settle as failed: it would wait for itself
	merge       deed = "merge"        // settled before its call was seen: take the call's callbacks in
	finish      deed = "finish"       // settled: do what may be missing, then acknowledge
	wait        deed = "wait"         // a join, a promise, a callback of an open parent: record that it waits
	evaluate    deed = "evaluate"     // look at what it waits for
	hold        deed = "hold"         // record that it is held
	release     deed = "release"      // record that it is held no longer, and wake it
	add         deed = "add"          // take more members into a join
	handle      deed = "handle"       // record that its failure has been seen
	forward     deed = "forward"      // the parent has settled: put the callback into its lane
	park        deed = "park"         // not its time: store a schedule, then acknowledge
	rest        deed = "rest"         // waits: store an alarm, then acknowledge
	drop        deed = "drop"         // a word that means nothing now: acknowledge
	early       deed = "early"        // a word about what nobody has seen yet: let it come again, but not for ever
	giveBack    deed = "give back"    // not ours, and not done: let it come again
	disown      deed = "disown"       // under the number of another message: keep it where it is seen
	setAside    deed = "set aside"    // another call under the id, or a word that cannot be obeyed: keep it where it is seen
)

// decision is a deed with what it needs.
type decision struct {
	deed  deed
	until time.Time // of park
	why   string    // for the log
}

// facts are what a decision rests on: one read of the record, and of the
// parent's. Deciding changes nothing, so a conflict in doing what was decided
// leads back here with new facts.
type facts struct {
	record  *deferred.Record  // nil: there is none
	latest  bool              // the record is the leader's; else it may be of any age
	parent  *deferred.Record  // of a callback; nil: there is none
	call    *wire.Call        // nil: the message is a command
	command *deferred.Command // nil: the message is a call
	sent    time.Time         // when the command was, or the call
	digest  string            // of the call
	foreign bool              // the message has the number of another one
	now     time.Time         // the server's

	self       string // the incarnation of this worker
	performing bool   // this worker performs the call of this id, or is claiming or committing it
	ownerAlive bool   // the worker that the record names has a heartbeat, or may have one
	maxDeaths  int
	grace      time.Duration // for a parent that nobody has seen
}

const (
	heldLook     = 10 * time.Second // how often a held call is looked at
	parentLook   = 2 * time.Second  // the same of what waits and may not be woken, for a start
	parentSeldom = 5 * time.Minute  // and in the end
)

// enough: what was read may be as old as it may be, and the decision still stands.
// Most deeds end with a compare-and-set, which tells, or give the message back. These
// end the message without one, now or after a while, and rest on the leader's answer.
func (f *facts) enough(d decision) bool {
	switch d.deed {
	case drop, rest, setAside, early:
		return f.latest
	case giveBack: // to come again and again, until a replica knows more
		return f.latest || f.performing
	case finish: // an outcome is final, but what was sent after it may be about another deferred of the id
		return f.latest || !f.sent.After(f.record.Settled)
	}
	return true
}

// decide is the table of what a worker does with a message. Only what it says
// may be done, and a message is acknowledged only when its duty is done, or
// stored elsewhere.
func decide(f facts) decision {
	r := f.record
	if f.call != nil && f.foreign && (r == nil || !r.Seen) {
		return decision{deed: disown, why: wire.WhyForeign}
	}
	if f.call != nil && r != nil && r.Seen && r.Digest != "" && r.Digest != f.digest {
		return decision{deed: setAside, why: "another call has this id"}
	}
	if r != nil && r.State.Settled() {
		switch {
		case f.call != nil && !r.Seen:
			return decision{deed: merge, why: "settled before its call was seen"}
		case f.call == nil && f.command.Verb == deferred.Handle && !r.Handled:
			return decision{deed: handle, why: "its failure has been seen"}
		}
		return decision{deed: finish, why: "settled"}
	}
	switch {
	case f.call == nil:
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
func (f *facts) fresh() decision {
	if f.unperformed() {
		return decision{deed: wait, why: "not performed"}
	}
	return f.ready()
}

// unperformed: a join, or a promise.
func (f *facts) unperformed() bool { return f.call.Join != nil || f.call.Promise != "" }

// waiting: a callback whose parent has settled is a call like any other.
func (f *facts) waiting() decision {
	if w := f.record.Waits; w != nil && w.Mode == deferred.AfterParent && f.parent != nil && f.parent.State.Settled() {
		return f.ready()
	}
	return decision{deed: evaluate, why: "waits"}
}

func (f *facts) held() decision {
	if f.overdue() || f.record.Attempt == 0 && f.late() {
		return decision{deed: expire, why: "its time has passed"}
	}
	return f.until(f.now.Add(heldLook), "held")
}

// until parks, but no longer than until the deadline.
func (f *facts) until(t time.Time, why string) decision {
	if d := f.deadline(); !d.IsZero() && d.Before(t) {
		t = d
	}
	return decision{deed: park, until: t, why: why}
}

func (f *facts) deadline() time.Time {
	if f.record != nil && f.record.Seen {
		return f.record.Deadline
	}
	if f.call != nil {
		return f.call.Deadline
	}
	return time.Time{}
}

func (f *facts) overdue() bool {
	d := f.deadline()
	return !d.IsZero() && !f.now.Before(d)
}

// running: a redelivery proves nothing about the owner. Only a heartbeat that
// is missing does, or that the owner is this worker and performs no such call.
func (f *facts) running() decision {
	r := f.record
	switch {
	case f.performing: // also as an attempt that lost its lease, and does not know it yet
		return decision{deed: giveBack, why: "performed here"}
	case r.Token.Worker == f.self && f.overdue():
		return decision{deed: expire, why: "its deadline has passed"}
	case r.Token.Worker == f.self:
		return decision{deed: claim, why: "claimed here and let go"}
	case f.ownerAlive:
		return decision{deed: giveBack, why: "running elsewhere"}
	case f.overdue():
		return decision{deed: expire, why: "its deadline has passed"}
	case r.Counts.Deaths+1 >= f.maxDeaths:
		return decision{deed: poison, why: "its workers died too often"}
	}
	return decision{deed: takeOver, why: "its worker is dead"}
}

// ready: no record, a stub, pending or scheduled. That a message is here does
// not mean that it is due: schedules are alarms, not truth.
func (f *facts) ready() decision {
	r := f.record
	due, attempts := f.call.NotBefore, 0
	if r != nil {
		attempts = r.Attempt
		if r.NotBefore.After(due) {
			due = r.NotBefore
		}
	}
	switch {
	case f.performing:
		return decision{deed: giveBack, why: "being claimed or given back here"}
	case f.doneBefore():
		return decision{deed: drop, why: "its parent knows that it has settled"}
	case f.otherBranch():
		return decision{deed: passThrough, why: "the other branch was taken"}
	case f.overdue():
		return decision{deed: expire, why: "its deadline has passed"}
	case f.call.After != nil && (f.parent == nil || !f.parent.State.Settled()):
		return decision{deed: wait, why: "its parent is open"}
	case f.now.Before(due):
		return f.until(due, "not before")
	case attempts == 0 && f.late():
		return decision{deed: expire, why: "begin-by has passed"}
	}
	return decision{deed: claim, why: "free"}
}

// doneBefore: a callback without a record whose parent has noted that it settled has
// been forgotten. Its message was fired again by a worker that had stood still.
func (f *facts) doneBefore() bool {
	if f.record != nil || f.call.After == nil || f.parent == nil {
		return false
	}
	e := f.parent.Attached(f.call.ID)
	return e != nil && !e.Waiter && e.Settled
}

func (f *facts) late() bool { return !f.call.BeginBy.IsZero() && f.now.After(f.call.BeginBy) }

// otherBranch: what does not run has no time to wait for, and none to miss. It
// trusts the parent's record, never its own message: a message may be fired too
// early, or by hand.
func (f *facts) otherBranch() bool {
	a, p := f.call.After, f.parent
	return a != nil && p != nil && p.State.Settled() && !a.Takes(p)
}
