package deferred

import "slices"

// State is where a deferred stands. The package comment has the picture.
type State string

// The states of a deferred. The last four are settled: final, and they fire callbacks.
const (
	Scheduled State = "scheduled" // waits for its time: delayed, or to be tried again
	Pending   State = "pending"   // may be taken by a worker
	Running   State = "running"   // claimed by a worker
	Waiting   State = "waiting"   // waits for other deferreds, or for an outside resolution
	Held      State = "held"      // kept back until it is released
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Expired   State = "expired" // its begin-by time or deadline passed
)

// States lists every state, open ones first.
var States = []State{Scheduled, Pending, Running, Waiting, Held, Succeeded, Failed, Cancelled, Expired}

var settled = []State{Succeeded, Failed, Cancelled, Expired}

// transitions is the one table of what may follow what; the package comment
// shows it. The empty state is a deferred that has no record yet.
var transitions = map[State][]State{
	"":        append([]State{Scheduled, Pending, Running, Waiting, Held}, settled...),
	Scheduled: append([]State{Scheduled, Pending, Running, Waiting, Held}, settled...),
	Pending:   append([]State{Scheduled, Pending, Running, Waiting, Held}, settled...),
	Running:   append([]State{Scheduled, Pending, Running, Waiting}, settled...),
	Waiting:   append([]State{Pending, Running, Scheduled, Waiting}, settled...), // a callback whose parent has settled
	Held:      append([]State{Pending, Waiting, Held}, settled...),               // waiting: a join or a promise, held before it was met
}

// Settled reports whether the state is final.
func (s State) Settled() bool { return slices.Contains(settled, s) }

// MayBecome reports whether a record in state s may be written in state next.
// A settled record keeps its state for ever; only its marks may change.
func (s State) MayBecome(next State) bool {
	if s.Settled() {
		return s == next
	}
	return slices.Contains(transitions[s], next)
}

// Known reports whether s is a state at all.
func (s State) Known() bool { return slices.Contains(States, s) }

func (s State) verb() string {
	switch s {
	case Cancelled:
		return "been cancelled"
	default:
		return string(s)
	}
}
