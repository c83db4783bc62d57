package deferred

import (
	"fmt"
	"time"
)

// Limits on what one call may carry, in bytes, and on its times.
const (
	MaxArgsSize      = 256 << 10
	MaxResultSize    = 256 << 10
	MaxStackSize     = 16 << 10
	MaxCallbacksSize = 32 << 10
	MaxLabelsSize    = 4 << 10
	MaxNoteSize      = 64 << 10
	MaxDelay         = 10 * 365 * 24 * time.Hour
)

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
	Retries   int           // attempts after failures; 0 is the default, negative none
	After     *After        // a callback: the deferred it follows; set by whoever fires it
	Callbacks []Callback
}

// After says which deferred a callback follows, and on which branch.
type After struct {
	Parent ID
	On     Branch
}

// Branch is the kind of outcome that a callback is for.
type Branch string

// The branches. Every settled state but succeeded is on the failure branch.
const (
	OnSuccess Branch = "success"
	OnFailure Branch = "failure"
	OnBoth    Branch = "both"
)

// Takes reports whether a parent that settled in state s is on the branch.
func (b Branch) Takes(s State) bool {
	switch b {
	case OnSuccess:
		return s == Succeeded
	case OnFailure:
		return s.Settled() && s != Succeeded
	default:
		return s.Settled()
	}
}

// A Callback is a call that is made when the one it hangs on settles. With no
// arguments of its own it is given the result (or the failure) that it follows;
// [Attempt.Parent] has the whole outcome either way. A callback on the branch
// that is not taken does not run: its deferred takes the outcome over unchanged,
// and so do the callbacks that hang on it.
type Callback struct {
	On   Branch
	Call Call
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

// Check reports the first rule that the call breaks, as an [*InputError] or a
// [*SizeError]. What passes can be stored.
func (c *Call) Check() error {
	if err := CheckName(c.Name); err != nil {
		return err
	}
	if err := CheckQueue(c.QueueName()); err != nil {
		return err
	}
	if c.ID != "" {
		if err := c.ID.Check(); err != nil {
			return err
		}
	}
	if err := c.checkTerms(); err != nil {
		return err
	}
	if len(c.Args.Data) > MaxArgsSize {
		return &SizeError{Field: FieldArgs, Size: len(c.Args.Data), Limit: MaxArgsSize}
	}
	if err := c.Args.Check(); err != nil {
		return err
	}
	if err := checkLabels(c.Labels); err != nil {
		return err
	}
	return c.checkCallbacks()
}

func (c *Call) checkTerms() error {
	for _, t := range []time.Time{c.NotBefore, c.BeginBy} {
		if !t.IsZero() && (t.Year() < 1970 || t.Year() > 2200) {
			return &InputError{Field: FieldTime, Value: t.Format(time.RFC3339), Rule: "must lie between the years 1970 and 2200"}
		}
	}
	if c.Delay < 0 || c.Delay > MaxDelay {
		return &InputError{Field: FieldDelay, Value: c.Delay.String(), Rule: fmt.Sprintf("must lie between 0 and %s", MaxDelay)}
	}
	if c.Retries > 1_000_000 {
		return &InputError{Field: FieldRetries, Value: fmt.Sprint(c.Retries), Rule: "must be at most 1000000"}
	}
	if c.After == nil {
		return nil
	}
	if !c.After.On.known() {
		return &InputError{Field: FieldCallbacks, Value: string(c.After.On), Rule: `must be on "success", "failure" or "both"`}
	}
	return c.After.Parent.Check()
}

func (b Branch) known() bool { return b == OnSuccess || b == OnFailure || b == OnBoth }

func checkLabels(labels map[string]string) error {
	size := 0
	for k, v := range labels {
		size += len(k) + len(v) + 6
		if err := checkToken(FieldLabels, k, MaxNameLength, true); err != nil {
			return err
		}
		for _, r := range v {
			if r < ' ' || r == 0x7f || r == '\uFFFD' {
				return &InputError{Field: FieldLabels, Value: v, Rule: "must be printable UTF-8 text"}
			}
		}
	}
	if size > MaxLabelsSize {
		return &SizeError{Field: FieldLabels, Size: size, Limit: MaxLabelsSize}
	}
	return nil
}

func (c *Call) checkCallbacks() error {
	if len(c.Callbacks) == 0 {
		return nil
	}
	for i := range c.Callbacks {
		cb := &c.Callbacks[i]
		if !cb.On.known() {
			return &InputError{Field: FieldCallbacks, Value: string(cb.On), Rule: `must be on "success", "failure" or "both"`}
		}
		if cb.Call.ID != "" || cb.Call.After != nil {
			return &InputError{Field: FieldCallbacks, Value: cb.Call.Name, Rule: "must not name an id or a parent: both follow from the call they hang on"}
		}
		if err := cb.Call.Check(); err != nil {
			return fmt.Errorf("deferred: callback %d: %w", i, err)
		}
	}
	data, err := MarshalCallbacks(c.Callbacks)
	if err != nil {
		return err
	}
	if len(data) > MaxCallbacksSize {
		return &SizeError{Field: FieldCallbacks, Size: len(data), Limit: MaxCallbacksSize}
	}
	return nil
}
