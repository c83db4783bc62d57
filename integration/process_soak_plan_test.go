package integration

import (
	"fmt"
	"math/rand/v2"
	"time"

	"zasync/pkg/deferred"
)

// soakCall is a call with what is to become of it.
type soakCall struct {
	deferred.Call
	kind   string
	cancel bool
	state  deferred.State // "": it depends on who comes first
}

// soakKinds make calls of each kind, given their arguments.
var soakKinds = []struct {
	kind   string
	weight int
	make   func(rng *rand.Rand, args soakArgs) soakCall
}{
	{"plain", 8, func(_ *rand.Rand, args soakArgs) soakCall {
		return soakCall{Call: soakWork.Call(args), state: deferred.Succeeded}
	}},
	{"failing once", 3, func(_ *rand.Rand, args soakArgs) soakCall {
		args.Failures = 1
		return soakCall{Call: soakWork.Call(args), state: deferred.Succeeded}
	}},
	{"delayed", 3, func(rng *rand.Rand, args soakArgs) soakCall {
		c := soakCall{Call: soakWork.Call(args), state: deferred.Succeeded}
		c.Delay = time.Duration(rng.IntN(3000)) * time.Millisecond
		return c
	}},
	{"with callbacks", 3, func(_ *rand.Rand, args soakArgs) soakCall {
		c := soakCall{Call: soakWork.Call(args), state: deferred.Succeeded}
		c.Callbacks = soakTree()
		return c
	}},
	{"broken, with callbacks", 2, func(_ *rand.Rand, args soakArgs) soakCall {
		c := soakCall{Call: soakBroken.Call(args), state: deferred.Failed}
		c.Callbacks = soakTree()
		return c
	}},
	{"cancelled while delayed", 2, func(_ *rand.Rand, args soakArgs) soakCall {
		c := soakCall{Call: soakWork.Call(args), state: deferred.Cancelled, cancel: true}
		c.Delay, c.Callbacks = time.Hour, soakTree()
		return c
	}},
	{"cancelled at any time", 2, func(_ *rand.Rand, args soakArgs) soakCall {
		return soakCall{Call: soakWork.Call(args), cancel: true}
	}},
	{"for one worker only", 2, func(_ *rand.Rand, args soakArgs) soakCall {
		c := soakCall{Call: soakWork.Call(args), state: deferred.Succeeded}
		c.Labels = map[string]string{onlyLabel: "steady"}
		return c
	}},
}

// soakTree is a callback on each branch, one with another that hangs on it.
func soakTree() []deferred.Callback {
	echo := deferred.Call{Name: soakEcho}
	chained := echo
	chained.Callbacks = []deferred.Callback{{On: deferred.OnBoth, Call: echo}}
	return []deferred.Callback{
		{On: deferred.OnSuccess, Call: chained}, {On: deferred.OnFailure, Call: echo}, {On: deferred.OnBoth, Call: echo},
	}
}

// planSoak makes n calls, the same for the same seed.
func planSoak(seed uint64, n int) []soakCall {
	rng := rand.New(rand.NewPCG(seed, 0))
	total := 0
	for _, k := range soakKinds {
		total += k.weight
	}
	calls := make([]soakCall, n)
	for i := range calls {
		at := rng.IntN(total)
		for _, k := range soakKinds {
			if at -= k.weight; at < 0 {
				calls[i] = k.make(rng, soakArgs{Millis: 5 + rng.IntN(46)})
				calls[i].kind = k.kind
				break
			}
		}
		calls[i].ID = deferred.ID(fmt.Sprintf("call-%03d", i))
	}
	return calls
}
