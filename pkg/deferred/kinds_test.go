package deferred_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"zasync/pkg/deferred"
)

var errStock = errors.New("out of stock")

func init() { deferred.RegisterKind("out of stock", errStock) }

func TestRegisteredErrorKeepsItsIdentityAsData(t *testing.T) {
	f := deferred.FailureOf(fmt.Errorf("order 7: %w", errStock))
	if f.Kind != "out of stock" || !errors.Is(f, errStock) || errors.Is(f, deferred.ErrCancelled) {
		t.Errorf("failure %+v", f)
	}
	wrapped := &deferred.Failure{Kind: "error", Chain: []deferred.Cause{{Kind: "out of stock"}}}
	if !errors.Is(wrapped, errStock) || !wrapped.Has("out of stock") || wrapped.Has("other") {
		t.Error("a kind that is wrapped is not found")
	}
}

func TestKindHasOneSentinelInAProcess(t *testing.T) {
	for kind, err := range map[string]error{"": errStock, "out of stock": errors.New("another"), deferred.KindTimeout: errStock} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the kind %q was registered again", kind)
				}
			}()
			deferred.RegisterKind(kind, err)
		}()
	}
}

func TestWhatCannotBeAJoinOrAPromiseIsRefused(t *testing.T) {
	a, b := deferred.Open(nil, "a"), deferred.Open(nil, "b")
	promise, token := deferred.NewPromise("p", "approval")
	if err := promise.Check(); err != nil || token.Check() != nil || token.ID() != "p" {
		t.Fatalf("promise %v, token %q", err, token)
	}
	bad := map[string]deferred.Call{
		"a race of none":           deferred.NewJoin(deferred.JoinRace),
		"a member twice":           deferred.NewJoin(deferred.JoinAll, a, b, a),
		"a mode that is none":      deferred.NewJoin("most", a),
		"a join of itself":         with(deferred.NewJoin(deferred.JoinAll, a), func(c *deferred.Call) { c.ID = "a" }),
		"a join with arguments":    with(deferred.NewJoin(deferred.JoinAll, a), func(c *deferred.Call) { c.Args = deferred.JSON([]byte("1")) }),
		"a join that is a promise": with(deferred.NewJoin(deferred.JoinAll, a), func(c *deferred.Call) { c.Promise = promise.Promise }),
		"a promise with retries":   with(promise, func(c *deferred.Call) { c.Retries = 3 }),
		"a promise of no digest":   with(promise, func(c *deferred.Call) { c.Promise = "secret" }),
		"a promise as callback":    {Name: "x", Callbacks: []deferred.Callback{{On: deferred.OnBoth, Call: with(promise, func(c *deferred.Call) { c.ID = "" })}}},
		"kinds of a success":       {Name: "x", Callbacks: []deferred.Callback{{On: deferred.OnSuccess, Kinds: []string{"a"}, Call: deferred.Call{Name: "y"}}}},
		"a callback of itself":     {Name: "x", ID: "x", After: &deferred.After{Parent: "x", On: deferred.OnBoth}},
	}
	for name, c := range bad {
		if err := c.Check(); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func with(c deferred.Call, change func(*deferred.Call)) deferred.Call {
	change(&c)
	return c
}

func TestTokenOfAnotherPromiseOpensNothing(t *testing.T) {
	_, one := deferred.NewPromise("p", "x")
	c, two := deferred.NewPromise("p", "x")
	r := &deferred.Record{ID: "p", Promise: c.Promise}
	if one.Opens(r) || !two.Opens(r) || deferred.PromiseToken("p.").Opens(r) {
		t.Error("a token opens what is not its own, or not what is")
	}
	if err := deferred.ResolvePromise(context.Background(), nil, "nonsense", 1); !errors.Is(err, deferred.ErrToken) {
		t.Errorf("nonsense was answered with %v", err)
	}
}
