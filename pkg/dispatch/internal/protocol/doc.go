// Package protocol is the policy of the queue, without a server: facts in, verdict out.
// It reads nothing, writes nothing and asks no clock, so tables test all of it.
//
//	decide.go     the table: the action of a worker for a message
//	command.go    the same for a command about a deferred
//	reply.go      the answer to the caller of a command
//	join.go       the outcome of a join, an adopter and a callback
//	links.go      the entries by which deferreds know of each other, and when they go
//	limits.go     the times at which a deferred stops waiting
//	retention.go  how long a record is kept
//	size.go       how much a record may hold
//
// [Decide] is the heart: [Facts] are one read of a record and the terms of the
// message, and the [Decision] is one [Action]. A worker acknowledges a message only
// when its duty is done, or stored elsewhere.
package protocol
