// Package deferred is what a caller of zasync holds and what a worker is handed.
//
// A [Func] names a piece of work and fixes its types; submitting it gives a
// [Deferred], a durable handle that any process can wait for, watch, annotate
// and cancel:
//
//	const Greet deferred.Func[string, string] = "greet"
//
//	d, err := Greet.Submit(ctx, queue, "world")
//	greeting, err := Greet.Await(ctx, d)
//
// The package knows no queue and no worker. Callers use the front half: [Call],
// [Func], [Deferred], [Outcome], [Failure]. Whoever keeps deferreds implements
// [Submitter] and [Ledger]; whoever hands calls to workers implements [Source]
// and [Feed]. With no queue at all, [Go], [Resolved] and [Rejected] give
// deferreds that live in this process.
//
// A deferred is in one of these states, and moves only along these arrows
// ([State.MayBecome] is the table; every settled state is final):
//
//	             +-----------+   retry    +---------+
//	submit ----> | scheduled | <--------- |         |----> succeeded
//	             +-----------+            |         |
//	                   | due              |         |----> failed
//	                   v         claim    |         |
//	submit ----> [ pending ] -----------> | running |----> cancelled
//	              ^       |               |         |
//	      release |       | hold          |         |----> expired
//	              |       v               +---------+
//	             [  held  ]                 |     ^ takeover from a dead
//	                                        v     | worker: running again
//	submit ------------------------> [  waiting  ]----> any settled state
//
// Cancel leads from every open state to cancelled; a passed begin-by time leads
// from every state before the first attempt to expired.
package deferred
