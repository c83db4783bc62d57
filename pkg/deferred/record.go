package deferred

import (
	"slices"
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
	Deadline  time.Time
	Started   time.Time // the latest claim
	Settled   time.Time
	Timeout   time.Duration // of an attempt
	Keep      time.Duration // once settled; 0 is by the outcome
	Needed    time.Time     // it is kept until then at least: the result of another one is made of it

	Labels    map[string]string
	Callbacks []RecordedCallback
	Parent    *RecordedParent
	Waits     *Waits // what it waits for, or waited for
	Promise   string // the digest of the secret with which it is settled from outside

	Skipped   bool   // it took its parent's outcome over and did not run
	Handled   bool   // somebody has seen its failure
	SettledBy string // who settled it from outside, if the command said so
	Obeyed    uint64 // the latest hold or release that was carried out; see [Command]
	// HoldReason is why it is held, for people. A record that is not held is
	// written without.
	HoldReason string
	// Carried: it was settled without its call's message, which may stand in a
	// lane still: it is kept until that has been met.
	Carried bool

	Args    Content // only when waiting, or settled otherwise than succeeded: the message is gone
	Result  Content
	Failure *Failure
	// ResultOf is set in place of a result that is large: it is that of the named
	// deferred, which may refer to another one in turn. A join that names itself
	// has the list of its members' results. A ledger does so by itself, keeps
	// what is referred to, and gives the whole result to who waits.
	ResultOf ID
	Holds    bool // its entries keep what is referred to; it has not let go of that, or has taken hold of it again
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

// A RecordedCallback is what hangs on a deferred, with its marks: a callback
// that travelled with the call, or another deferred that waits for this one.
type RecordedCallback struct {
	On    Branch
	Kinds []string
	ID    ID // of the callback's own deferred
	Call  Call
	// Waiter: not a call to be made but a deferred with a record of its own, to
	// be woken: a join, an adopter, or a callback that was added later.
	Waiter  bool
	Fired   bool // its message is stored, or it need not be woken
	Settled bool // it needs this record no longer
}

// Takes reports whether the outcome of the record that it hangs on is for it.
func (c *RecordedCallback) Takes(r *Record) bool {
	return (&After{On: c.On, Kinds: c.Kinds}).Takes(r)
}

// A RecordedParent says what a callback follows.
type RecordedParent struct {
	ID    ID       `json:"id"`
	On    Branch   `json:"on"`
	Kinds []string `json:"kinds,omitempty"`
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
		if c := &r.Callbacks[i]; !c.Fired && !c.Settled {
			return true
		}
	}
	return false
}

// Hold makes the record a held one, for a reason that may be empty. It does not
// write it.
func (r *Record) Hold(reason string) { r.State, r.HoldReason = Held, clip(reason, maxMessage) }

// Settle makes the record a settled one. It does not write it. A state that is
// no success has a failure: of the state's own kind, if none is given.
func (r *Record) Settle(s State, f *Failure) {
	if f == nil && s != Succeeded {
		f = &Failure{Kind: string(s), Message: string(s)}
	}
	r.State, r.Failure, r.Result, r.Args = s, f, Content{}, Content{}
	r.ResultOf, r.Holds = "", false
}

// SettleAs makes the record one that is settled as the other is, value and
// failure unchanged. A result of more than inline bytes is not copied but
// referred to. It does not write it.
func (r *Record) SettleAs(other *Record, inline int) {
	r.Settle(other.State, other.Failure)
	if other.ResultOf != "" || len(other.Result.Data) > inline {
		r.ResultOf = other.ID
		return
	}
	r.Result = other.Result
}

// Unhandled reports whether the deferred has failed and nobody has seen it: no
// callback and no other deferred took the failure on, and no one waited for it.
// What was cancelled was meant to be.
func (r *Record) Unhandled() bool {
	return (r.State == Failed || r.State == Expired) && !r.Handled && !r.TakenOn()
}

// TakenOn reports whether the deferred has failed and something hangs on it that
// takes the failure on. What needed it no longer when it failed, a join that was
// cancelled, say, does not.
func (r *Record) TakenOn() bool {
	return (r.State == Failed || r.State == Expired) && slices.ContainsFunc(r.Callbacks, func(c RecordedCallback) bool { return !c.Settled })
}

// Attached is the entry of the deferred that hangs on this one; nil if none does.
func (r *Record) Attached(id ID) *RecordedCallback {
	for i := range r.Callbacks {
		if r.Callbacks[i].ID == id {
			return &r.Callbacks[i]
		}
	}
	return nil
}

// Clone copies what a writer changes: the callbacks, the parent, what it waits for.
func (r *Record) Clone() Record {
	c := *r
	c.Callbacks = append([]RecordedCallback(nil), r.Callbacks...)
	if r.Parent != nil {
		p := *r.Parent
		c.Parent = &p
	}
	if r.Waits != nil {
		w := *r.Waits
		c.Waits = &w
	}
	return c
}
