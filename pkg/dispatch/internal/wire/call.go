package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// A Call is a call as its message carries it.
type Call struct {
	deferred.Call           // its NotBefore includes the delay
	Submitted     time.Time // when the server stored its first message
	Due           time.Time // the time for which a worker parked it; zero: none did
}

// Conditional reports whether the call has terms, or waits: a worker reads its record
// before it offers the call to a handler.
func (c *Call) Conditional() bool {
	return c.After != nil || c.Join != nil || c.Promise != "" || !c.Due.IsZero() || !c.NotBefore.IsZero() || !c.BeginBy.IsZero() || !c.Deadline.IsZero()
}

// Digest tells two calls under one id apart.
func (c *Call) Digest() string { return Digest(&c.Call) }

// Digest tells two calls under one id apart, by name, codec and arguments. A join adds
// its members and its mode, a promise the hash of its secret. A callback that waited in
// its record keeps its digest.
func Digest(c *deferred.Call) string {
	args := bodyOf(c)
	if c.After != nil {
		args = args.Stored()
	}
	h := sha256.New()
	for _, s := range []string{c.Name, args.Type} {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	h.Write(args.Data)
	if c.Join != nil {
		h.Write([]byte("\x00" + string(c.Join.Mode)))
	}
	if c.Promise != "" {
		h.Write([]byte("\x00" + c.Promise))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Encode gives the message that moves the call to a route, with its first submission
// and the time for which it was parked.
func (c *Call) Encode(route driver.Route) (driver.Message, error) {
	m, err := Encode(&c.Call, route)
	putTime(m.Header, HeaderSubmitted, c.Submitted)
	putTime(m.Header, HeaderDue, c.Due)
	return m, err
}

// RouteOf chooses the route of a new call. A call that must wait goes to Later, so that
// it does not stand before calls that are ready. A join that cancels members is a
// command: a server grants the right to each verb by itself.
func RouteOf(c *deferred.Call) driver.Route {
	if c.Join != nil && c.Join.CancelRest {
		return driver.Commands
	}
	if c.Delay > 0 || !c.NotBefore.IsZero() || !c.Deadline.IsZero() || c.After != nil || c.Join != nil || c.Promise != "" {
		return driver.Later
	}
	return driver.Ready
}

// Fired encodes the call of a callback whose parent has settled.
func Fired(r *deferred.Record, cb *deferred.RecordedCallback) (driver.Message, error) {
	call := cb.Call
	route := RouteOf(&call)
	if !cb.Takes(r) {
		route = driver.Later
	}
	call.ID, call.After = cb.ID, &deferred.After{Parent: r.ID, On: cb.On, Kinds: cb.Kinds}
	return Encode(&call, route)
}

// ApplyTo writes the terms and the callbacks of a call into its record.
func (c *Call) ApplyTo(r *deferred.Record, digest string) {
	r.Seen, r.Digest = true, digest
	if !r.State.Settled() { // a waiter may have detached before the record met its call
		r.Callbacks = slices.DeleteFunc(r.Callbacks, func(cb deferred.RecordedCallback) bool { return cb.Waiter && cb.Settled })
	}
	r.Name, r.Queue, r.Retries, r.Labels = c.Name, c.QueueName(), c.RetryLimit(), c.Labels
	r.Submitted, r.BeginBy, r.Deadline = c.Submitted, c.BeginBy, c.Deadline
	r.Timeout, r.Keep, r.Promise = c.Timeout, c.Keep, c.Promise
	if c.NotBefore.After(r.NotBefore) {
		r.NotBefore = c.NotBefore
	}
	for i, cb := range c.Callbacks {
		r.Callbacks = append(r.Callbacks, deferred.RecordedCallback{On: cb.On, Kinds: cb.Kinds, ID: deferred.ChildID(r.ID, i), Call: cb.Call})
	}
	if r.Parent == nil {
		r.Parent = parentOf(c)
	}
	if j := c.Join; j != nil {
		r.Waits = &deferred.Waits{Mode: j.Mode, On: j.Members, CancelRest: j.CancelRest}
	}
}

// AdoptTerms replaces the terms of a call by those of its record, if the record has met
// the call. A second message under the same id with the same arguments changes nothing.
func (c *Call) AdoptTerms(r *deferred.Record, digest string) {
	if r == nil || !r.Seen || r.Digest != digest {
		return
	}
	c.BeginBy, c.Deadline, c.Timeout, c.After = r.BeginBy, r.Deadline, r.Timeout, nil
	if p := r.Parent; p != nil {
		c.After = &deferred.After{Parent: p.ID, On: p.On, Kinds: p.Kinds}
	}
}

func parentOf(c *Call) *deferred.RecordedParent {
	if c.After == nil {
		return nil
	}
	return &deferred.RecordedParent{ID: c.After.Parent, On: c.After.On, Kinds: c.After.Kinds}
}

// FromRecord rebuilds the call of a waiting callback from its record. The callbacks of
// the call stay in the record.
func FromRecord(r *deferred.Record) *Call {
	c := &Call{Submitted: r.Submitted}
	c.Call = deferred.Call{
		Name: r.Name, Queue: r.Queue, ID: r.ID, Args: r.Args, Labels: r.Labels,
		NotBefore: r.NotBefore, BeginBy: r.BeginBy, Deadline: r.Deadline, Timeout: r.Timeout, Keep: r.Keep, Retries: r.Retries,
		After: &deferred.After{Parent: r.Parent.ID, On: r.Parent.On, Kinds: r.Parent.Kinds},
	}
	if c.Retries == 0 {
		c.Retries = deferred.NoRetries
	}
	return c
}
