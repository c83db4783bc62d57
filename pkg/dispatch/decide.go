package dispatch

import (
	"time"

	"zasync/pkg/deferred"
)

// deed is what is to be done with a delivery.
type deed string

const (
	claim       deed = "claim"        // perform it
	takeOver    deed = "take over"    // perform it: the worker that had it is dead
	poison      deed = "poison"       // settle as failed: too many workers died with it
	expire      deed = "expire"       // settle as expired: it was to begin by a time that has passed
	cancel      deed = "cancel"       // settle as cancelled
	passThrough deed = "pass through" // settle with the parent's outcome: the other branch was taken
	orphan      deed = "orphan"       // settle as failed: nobody knows the parent
	merge       deed = "merge"        // settled before its call was seen: take the call's callbacks in
	finish      deed = "finish"       // settled: do what may be missing, then acknowledge
	park        deed = "park"         // not its time: store a schedule, then acknowledge
	giveBack    deed = "give back"    // not ours, and not done: let it come again
	setAside    deed = "set aside"    // another call under the id: keep it where it is seen, then acknowledge
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
	record *deferred.Record // nil: there is none
	parent *deferred.Record // of a callback; nil: there is none
	call   *carried         // nil: the message is a cancel
	digest string           // of the call
	now    time.Time        // the server's

	self       string // the incarnation of this worker
	performing bool   // this worker performs the call of this id, or is claiming or committing it
	ownerAlive bool   // the worker that the record names has a heartbeat, or may have one
	maxDeaths  int
	grace      time.Duration // for a parent that nobody has seen
}

const (
	heldLook   = 10 * time.Second // how often a held or waiting call is looked at
	parentLook = 2 * time.Second  // how often a callback looks for a parent that is open
)

// decide is the table of what a worker does with a message. Only what it says
// may be done, and a message is acknowledged only by finish, park and set aside.
func decide(f facts) decision {
	r := f.record
	if f.call != nil && r != nil && r.Seen && r.Digest != "" && r.Digest != f.digest {
		return decision{deed: setAside, why: "another call has this id"}
	}
	if r != nil && r.State.Settled() {
		if f.call != nil && !r.Seen {
			return decision{deed: merge, why: "settled before its call was seen"}
		}
		return decision{deed: finish, why: "settled"}
	}
	if f.call == nil {
		return decision{deed: cancel, why: "cancelled"}
	}
	if r == nil {
		return f.ready()
	}
	switch r.State {
	case deferred.Running:
		return f.running()
	case deferred.Held, deferred.Waiting:
		return decision{deed: park, until: f.now.Add(heldLook), why: string(r.State)}
	default:
		return f.ready()
	}
}

// running: a redelivery proves nothing about the owner. Only a heartbeat that
// is missing does, or that the owner is this worker and performs no such call.
func (f *facts) running() decision {
	r := f.record
	switch {
	case f.performing: // also as an attempt that lost its lease, and does not know it yet
		return decision{deed: giveBack, why: "performed here"}
	case r.Token.Worker == f.self:
		return decision{deed: claim, why: "claimed here and let go"}
	case f.ownerAlive:
		return decision{deed: giveBack, why: "running elsewhere"}
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
	case f.otherBranch():
		return decision{deed: passThrough, why: "the other branch was taken"}
	case f.now.Before(due) && f.call.After != nil && f.parent == nil: // to be attached, or it may be forgotten by then
		return decision{deed: park, until: sooner(due, f.now.Add(heldLook)), why: "not before, and its parent is not there yet"}
	case f.now.Before(due):
		return decision{deed: park, until: due, why: "not before"}
	case attempts == 0 && f.late():
		return decision{deed: expire, why: "begin-by has passed"}
	case f.call.After != nil:
		return f.callback()
	}
	return decision{deed: claim, why: "free"}
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (f *facts) late() bool { return !f.call.BeginBy.IsZero() && f.now.After(f.call.BeginBy) }

// otherBranch: what does not run has no time to wait for, and none to miss.
func (f *facts) otherBranch() bool {
	a, p := f.call.After, f.parent
	return a != nil && p != nil && p.State.Settled() && !a.On.Takes(p.State)
}

// callback trusts the parent's record, never its own message: a message may be
// fired too early, or by hand.
func (f *facts) callback() decision {
	p := f.parent
	switch {
	case p != nil && p.State.Settled():
		return decision{deed: claim, why: "its parent has settled"}
	case (p == nil || !p.Seen) && f.now.After(f.call.submitted.Add(f.grace)):
		return decision{deed: orphan, why: "nobody knows its parent"}
	}
	return decision{deed: park, until: f.now.Add(parentLook), why: "its parent is open"}
}
