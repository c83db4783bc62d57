// Package workerpool performs calls.
//
// Register plain functions on a [Mux], and run a [Pool] of it on a source of
// calls, which is a queue or anything else that implements [deferred.Source]:
//
//	const Greet deferred.Func[string, string] = "greet"
//
//	var mux workerpool.Mux
//	workerpool.Register(&mux, Greet, func(ctx context.Context, name string) (string, error) {
//		return "Hello, " + name + "!", nil
//	})
//	pool := workerpool.Pool{Source: queue, Mux: &mux}
//	err := pool.Run(ctx) // until ctx ends
//
// A handler says how its call ended by what it returns: nil is success, an error
// is retried under the policy of the queue, and [deferred.Permanent],
// [deferred.RetryAfter] and [deferred.Snooze] say otherwise. A panic is a
// failure with a stack. The context ends when the call is cancelled, lost to
// another worker, or interrupted because the pool stops; [context.Cause] tells
// which. With [deferred.AttemptFrom] and [deferred.Report] a handler learns what
// it performs and says how far it has come.
//
// A handler that waits for another deferred keeps its slot meanwhile. When all slots
// wait, what they wait for cannot be performed here: the pool warns of it. Return
// [deferred.Adopt] of the other one instead, which takes no slot.
//
// A handler that ignores for two seconds that its context has ended is hung. Its
// attempt ends without it: one that was over its timeout has failed. The pool warns
// of it, says so in the worker's heartbeat, and does without its slot until it
// returns. What it returns then is thrown away.
//
// The pool decides at the moment of fetching: [Pool.Accept] sees each call
// before it is claimed, and one that is declined has lost nothing. Calls that
// take long are fetched only for slots that are free. Of calls that take a few
// milliseconds some are fetched and claimed ahead, so that a slot never waits
// for the network; they are given back, untouched, when the slots turn out to be
// busy or the pool stops.
//
// Every offer ends in exactly one of four ways: declined; a claim that failed;
// settled, also for a handler that is hung; or abandoned, when its handler outlived
// a stopping pool. The source counts on that to know what a worker holds.
package workerpool
