package deferred

import "time"

// Limits on what one call may carry, in bytes, and on its terms.
const (
	MaxArgsSize      = 256 << 10
	MaxResultSize    = 256 << 10
	MaxStackSize     = 16 << 10
	MaxCallbacksSize = 32 << 10
	MaxLabelsSize    = 4 << 10
	MaxNoteSize      = 64 << 10
	MaxDelay         = 10 * 365 * 24 * time.Hour
	MaxRetries       = 1_000_000
	// MinKeep is the least time for which a settled record is kept: a message
	// of its call that comes late must still meet it.
	MinKeep = time.Minute
)

// maxNesting is how deep values may be nested. It leaves room, under the 10,000
// that encoding/json reads, for the records and the notes that enclose them: a
// record that could be written and never read again would be stuck for ever.
const maxNesting = 1000

// Defaults of a call's terms.
const (
	DefaultQueue   = "default"
	DefaultRetries = 10
	// NoRetries as [Call.Retries] means one attempt only.
	NoRetries = -1
)

// A Call says what to do and on what terms. Only Name must be set; the zero
// terms mean: now, in the default queue, under a random id, retried after
// failures up to [DefaultRetries] times.
type Call struct {
	Name      string
	Queue     string
	ID        ID
	Args      Content
	Labels    map[string]string
	NotBefore time.Time     // no attempt starts before; by the clock of the server
	Delay     time.Duration // the same, counted from the moment the server stores the call
	BeginBy   time.Time     // expires when its first attempt has not begun by then
	Deadline  time.Time     // the deferred expires when it has not settled by then, also while an attempt runs
	Timeout   time.Duration // an attempt that runs longer fails with [KindTimeout], even if its handler does not heed its context; 0 is none
	Keep      time.Duration // how long the record is kept once settled; 0 is the queue's default for the outcome
	Retries   int           // attempts after failures; 0 is the default, negative none
	After     *After        // a callback: the deferred it follows
	Callbacks []Callback
	Join      *Join  // not performed: settles when its members have; see [All]
	Promise   string // not performed: settled from outside, by whoever knows what this is the digest of; see [NewPromise]
}

// After says which deferred a callback follows, and on which outcomes.
type After struct {
	Parent ID
	On     Branch
	Kinds  []string // as in [Callback]
}

// Branch is the kind of outcome that a callback is for.
type Branch string

// The branches. Every settled state but succeeded is on the failure branch.
const (
	OnSuccess Branch = "success"
	OnFailure Branch = "failure"
	OnBoth    Branch = "both"
	// OnSkipped is for a parent that did not run itself, because it hangs on a
	// branch that was not taken, and took a failure over: the errback beside a
	// callback, which does not see what that callback makes of its input.
	OnSkipped Branch = "skipped"
)

// Takes reports whether a parent that settled in state s is on the branch.
func (b Branch) Takes(s State) bool {
	switch b {
	case OnSuccess:
		return s == Succeeded
	case OnFailure, OnSkipped:
		return s.Settled() && s != Succeeded
	default:
		return s.Settled()
	}
}

// Takes reports whether the callback runs on the outcome of its parent.
func (a *After) Takes(parent *Record) bool {
	if !a.On.Takes(parent.State) || a.On == OnSkipped && !parent.Skipped {
		return false
	}
	return len(a.Kinds) == 0 || parent.Failure.Has(a.Kinds...)
}

// A Callback is a call that is made when the one it hangs on settles. With no
// arguments of its own it is given the result (or the failure) that it follows;
// [Attempt.Parent] has the whole outcome either way. A callback on the branch
// that is not taken does not run: its deferred takes the outcome over unchanged,
// and so do the callbacks that hang on it.
type Callback struct {
	On    Branch
	Kinds []string // only failures of these kinds, itself or what it wraps; none is any
	Call  Call
}

// QueueName is the queue of the call, the default one if none is named.
func (c *Call) QueueName() string {
	if c.Queue == "" {
		return DefaultQueue
	}
	return c.Queue
}

// RetryLimit is how many failures are followed by another attempt.
func (c *Call) RetryLimit() int {
	switch {
	case c.Retries == 0:
		return DefaultRetries
	case c.Retries < 0:
		return 0
	}
	return c.Retries
}
