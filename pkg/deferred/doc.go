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
// A deferred is in one of these states. The usual ways are:
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
// from every state before the first attempt to expired. A record is not written
// again just because its time has come or its turn is over, so more moves than
// the usual ones are met. These are all ([State.MayBecome]; settled stands for
// each of the four, which are final):
//
//	from \ to | scheduled  pending  running  waiting  held  settled
//	----------+-----------------------------------------------------
//	new       |     x          x        x        x      x       x
//	scheduled |     x          x        x        x      x       x
//	pending   |     x          x        x        x      x       x
//	running   |     x          x        x        x      .       x
//	waiting   |     x          x        x        x      .       x
//	held      |     .          x        .        x      x       x
//	settled   |     .          .        .        .      .       .
//
// A callback that was added later waits for its parent, and is pending or
// running after that; a join, a promise and an adopter wait until they settle.
//
// A call that was never claimed settles as cancelled, expired or failed, or
// takes the outcome of the parent whose other branch was taken, which may be a
// success.
package deferred
