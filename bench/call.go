package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"zasync/pkg/deferred"
)

const (
	callName = "noop"
	argsSize = 200
	window   = 1000 // calls on their way at once, where calls go in bulk
)

// args are JSON of argsSize bytes that begin with a number.
func args(number int) []byte {
	head := fmt.Sprintf(`{"number":"%010d","filling":"`, number)
	return []byte(head + strings.Repeat("x", argsSize-len(head)-2) + `"}`)
}

// numberOf is the number in args.
func numberOf(args []byte) (int, error) {
	const at = len(`{"number":"`)
	return strconv.Atoi(string(args[at : at+10]))
}

var someArgs = args(0)

func someCall() deferred.Call { return deferred.Call{Name: callName, Args: deferred.JSON(someArgs)} }

var someResult = deferred.JSON([]byte(`"done"`))

// fill queues n calls.
func (p *place) fill(ctx context.Context, n int) error {
	for n > 0 {
		calls := make([]deferred.Call, min(n, window))
		for i := range calls {
			calls[i] = someCall()
		}
		if _, err := p.queue.Submit(ctx, calls...); err != nil {
			return err
		}
		n -= len(calls)
	}
	return nil
}

// recordPair is a record as a claim writes it, and as a commit does: the floor
// writes these bytes over and over, under different keys.
func recordPair() (claim, commit []byte, err error) {
	now := time.Now()
	token := deferred.Token{Worker: string(deferred.NewID()), Attempt: 1}
	r := deferred.Record{
		ID: deferred.NewID(), Name: callName, Queue: deferred.DefaultQueue, State: deferred.Running,
		Attempt: 1, Retries: deferred.DefaultRetries, Seen: true, Token: token, Digest: strings.Repeat("0", 32),
		Submitted: now, Started: now,
	}
	if claim, err = r.AppendJSON(nil); err != nil {
		return nil, nil, err
	}
	r.Settle(deferred.Succeeded, nil)
	r.Settled, r.Result = now, someResult
	commit, err = r.AppendJSON(nil)
	return claim, commit, err
}
