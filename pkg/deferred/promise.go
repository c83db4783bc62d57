package deferred

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
)

// A PromiseToken is what settles a promise: its id, a dot, and a secret of which the
// queue keeps the digest only. Whoever has it can resolve or reject the promise,
// once; it gives no right to anything else.
type PromiseToken string

// NewPromise gives a call that nobody performs, and the token of whoever is to
// settle it: a person's approval, a webhook, another system. An empty id is a
// random one. The call's other fields are the caller's to set: queue, labels,
// deadline, keep and callbacks. Submit it and hand the token out, in any order.
func NewPromise(id ID, name string) (Call, PromiseToken) {
	if id == "" {
		id = NewID()
	}
	secret := rand.Text()
	return Call{Name: name, ID: id, Promise: digestOf(secret)}, PromiseToken(string(id) + "." + secret)
}

// ID is the id of the token's promise.
func (t PromiseToken) ID() ID {
	id, _, _ := strings.Cut(string(t), ".")
	return ID(id)
}

func (t PromiseToken) secret() string {
	_, secret, _ := strings.Cut(string(t), ".")
	return secret
}

// Check is ErrToken unless the token has the form of one.
func (t PromiseToken) Check() error {
	if t.ID().Check() != nil || t.secret() == "" {
		return ErrToken
	}
	return nil
}

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Opens reports whether the token settles the promise of the record.
func (t PromiseToken) Opens(r *Record) bool {
	return t.ID() == r.ID && r.Promise != "" && digestOf(t.secret()) == r.Promise
}

// ResolvePromise settles the token's promise as succeeded with a value. Nil means
// that this resolution is the one that counts. A [*SettledError] tells the outcome
// that came first, also when it is an equal one. A promise may be resolved before
// anybody has seen it. ErrToken means that the token is none.
func ResolvePromise(ctx context.Context, l Ledger, t PromiseToken, value any) error {
	c, err := EncodeAs(TypeJSON, value)
	if err != nil {
		return err
	}
	if err := t.Check(); err != nil {
		return err
	}
	return l.Do(ctx, Command{Verb: Resolve, ID: t.ID(), Token: t, Result: c})
}

// RejectPromise settles the token's promise as failed; see [ResolvePromise].
func RejectPromise(ctx context.Context, l Ledger, t PromiseToken, cause error) error {
	if cause == nil {
		cause = errors.New("rejected")
	}
	if err := t.Check(); err != nil {
		return err
	}
	f := FailureOf(cause)
	if f.Kind == KindError {
		f.Kind = KindRejected
	}
	return l.Do(ctx, Command{Verb: Reject, ID: t.ID(), Token: t, Failure: f})
}

// rejection is a failure from outside, cut to what a record can hold.
func rejection(kind, message string) *Failure {
	if kind == "" {
		kind = KindRejected
	}
	return &Failure{Kind: clip(kind, MaxNameLength), Message: clip(message, maxMessage)}
}

func (c *Call) checkPromise() error {
	if raw, err := hex.DecodeString(c.Promise); err != nil || len(raw) != sha256.Size || strings.ToLower(c.Promise) != c.Promise {
		return &InputError{Field: FieldPromise, Value: c.Promise, Rule: "must be the SHA-256 of a secret, as 64 lower-case hexadecimal digits"}
	}
	if c.Join != nil {
		return &InputError{Field: FieldPromise, Value: c.Name, Rule: "cannot be a join too"}
	}
	return c.checkUnperformed(FieldPromise)
}
