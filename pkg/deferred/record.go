package deferred

import (
	"time"
)

// A Record is the persisted facts about a deferred: what a ledger keeps, and
// what any client reads as JSON. See json.go for its form on the wire.
type Record struct {
	ID      ID
	Name    string
	Queue   string
	State   State
	Attempt int    // attempts claimed so far
	Counts  Counts // why there was more than one
	Retries int    // failures that are followed by another attempt
	// Seen says that the record has met its call. One that has not is a stub,
	// made by something that came before the call: a cancel, a callback.
	Seen   bool
	Token  Token  // who performs it; kept afterwards
	Digest string // of the call's arguments, to tell another call under the same id

	Submitted time.Time
	NotBefore time.Time // of the call, or of the next attempt, whichever is later
	BeginBy   time.Time
	Started   time.Time // the latest claim
	Settled   time.Time

	Labels    map[string]string
	Callbacks []RecordedCallback
	Parent    *RecordedParent

	Args    Content // only when settled otherwise than succeeded: the message is gone
	Result  Content
	Failure *Failure
}

// Counts are the causes of further attempts, counted apart.
type Counts struct {
	Failures int `json:"failures,omitempty"` // the handler failed
	Commits  int `json:"commits,omitempty"`  // its outcome could not be stored
	Deaths   int `json:"deaths,omitempty"`   // its worker died
}

// Token fences an attempt: who wrote it owns the running record.
type Token struct {
	Worker  string `json:"worker"` // the incarnation
	Attempt int    `json:"attempt"`
}

// A RecordedCallback is a callback with its marks.
type RecordedCallback struct {
	On      Branch
	ID      ID // of the callback's own deferred
	Call    Call
	Fired   bool // its message is stored
	Settled bool // its record is settled, so it needs this one's result no longer
}

// A RecordedParent says what a callback follows.
type RecordedParent struct {
	ID ID     `json:"id"`
	On Branch `json:"on"`
	// Released: the parent's record marks the callback as settled, so this
	// record may expire without being made again.
	Released bool `json:"released,omitempty"`
}

// Outcome is how the deferred ended, if it has.
func (r *Record) Outcome() Outcome {
	return Outcome{State: r.State, Result: r.Result, Failure: r.Failure}
}

// Unfired reports whether callbacks wait to be fired.
func (r *Record) Unfired() bool {
	for i := range r.Callbacks {
		if !r.Callbacks[i].Fired {
			return true
		}
	}
	return false
}

// Settle makes the record a settled one. It does not write it.
func (r *Record) Settle(s State, f *Failure) {
	r.State, r.Failure, r.Result, r.Args = s, f, Content{}, Content{}
}

// Clone copies what a writer changes: the callbacks and the parent.
func (r *Record) Clone() Record {
	c := *r
	c.Callbacks = append([]RecordedCallback(nil), r.Callbacks...)
	if r.Parent != nil {
		p := *r.Parent
		c.Parent = &p
	}
	return c
}
