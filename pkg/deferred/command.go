package deferred

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// Verb is what a command asks for.
type Verb string

// The verbs.
const (
	// Cancel settles a deferred as cancelled, whatever open state it is in.
	Cancel Verb = "cancel"
	// Hold keeps a call back that has not started; Release lets it go on.
	Hold    Verb = "hold"
	Release Verb = "release"
	// Resolve and Reject settle a promise, with its token.
	Resolve Verb = "resolve"
	Reject  Verb = "reject"
	// Add adds members to a join that waits.
	Add Verb = "add"
	// Handle says that somebody has seen the failure of a deferred.
	Handle Verb = "handle"
	// Attach submits [Command.Call] as a callback on the deferred. It is no verb
	// of the wire: there it is the callback's own message.
	Attach Verb = "attach"
)

// A Command asks for something to be done to a deferred.
type Command struct {
	Verb    Verb
	ID      ID
	Reason  string       // for people; of cancel and hold
	By      string       // who asks, for people, in at most 256 bytes; of a resolution "" is a random word, by which its giver knows it again
	Token   PromiseToken // of resolve and reject
	Result  Content      // of resolve
	Failure *Failure     // of reject
	Members []ID         // of add
	Call    *Call        // of attach
	// Seq is the place of the command's message in its stream, set by whoever
	// keeps it. Of hold and release the later one counts, in whatever order they
	// are carried out.
	Seq uint64
}

// commandJSON is the body of a command's message. Of a rejection, kind and
// message may stand without a failure around them.
type commandJSON struct {
	Reason    string          `json:"reason,omitempty"`
	By        string          `json:"by,omitempty"`
	Token     PromiseToken    `json:"token,omitempty"`
	Value     json.RawMessage `json:"value,omitempty"`
	ValueType string          `json:"value_type,omitempty"`
	Kind      string          `json:"kind,omitempty"`
	Message   string          `json:"message,omitempty"`
	Members   []ID            `json:"members,omitempty"`
}

// MarshalJSON gives the body of the command's message.
func (c Command) MarshalJSON() ([]byte, error) {
	w := commandJSON{Reason: c.Reason, By: c.By, Token: c.Token, Members: c.Members}
	w.Value, w.ValueType = inline(c.Result)
	if c.Failure != nil {
		w.Kind, w.Message = c.Failure.Kind, c.Failure.Message
	}
	return encodeJSON(w)
}

// UnmarshalJSON reads the body of a command's message. It leaves verb and id,
// which are in the subject, as they are.
func (c *Command) UnmarshalJSON(data []byte) error {
	var w commandJSON
	err := json.Unmarshal(data, &w)
	if err != nil {
		return fmt.Errorf("deferred: command: %w", err)
	}
	c.Reason, c.By, c.Token, c.Members = w.Reason, cutBy(w.By), w.Token, w.Members
	if w.Kind != "" || w.Message != "" {
		c.Failure = rejection(w.Kind, w.Message)
	}
	c.Result, err = outline(w.Value, w.ValueType)
	return err
}

// maxBy bounds the name of whoever asks: it stands in the record, beside what
// may be nearly as large as a message.
const maxBy = 256

func cutBy(s string) string {
	if len(s) > maxBy {
		return clip(s, maxBy-len(cutMark))
	}
	return s
}

// Check reports what keeps the command from being carried out, whatever the
// deferred's state.
func (c *Command) Check() error {
	if err := c.ID.Check(); err != nil {
		return err
	}
	if err := c.checkBy(); err != nil {
		return err
	}
	switch c.Verb {
	case Cancel, Hold, Release, Handle:
		return nil
	case Resolve, Reject:
		return c.checkResolution()
	case Add:
		return checkMembers(c.Members)
	case Attach:
		if c.Call == nil || c.Call.After == nil || c.Call.After.Parent != c.ID {
			return &InputError{Field: FieldCallbacks, Value: string(c.ID), Rule: "is not the deferred that the callback follows"}
		}
		return c.Call.Check()
	}
	return &InputError{Field: "command", Value: string(c.Verb), Rule: "is not one that a deferred obeys"}
}

func (c *Command) checkBy() error {
	switch {
	case len(c.By) > maxBy:
		return &SizeError{Field: FieldBy, Size: len(c.By), Limit: maxBy}
	case !utf8.ValidString(c.By): // it would come back as another one
		return &InputError{Field: FieldBy, Value: c.By, Rule: "must be UTF-8"}
	}
	return nil
}

func (c *Command) checkResolution() error {
	if c.Token.Check() != nil || c.Token.ID() != c.ID {
		return ErrToken
	}
	if len(c.Result.Data) > MaxResultSize {
		return &SizeError{Field: FieldResult, Size: len(c.Result.Data), Limit: MaxResultSize}
	}
	if c.Verb == Reject && c.Failure == nil {
		return &InputError{Field: FieldResult, Rule: "of a rejection must be a failure: give it a message"}
	}
	return c.Result.check(FieldResult)
}
