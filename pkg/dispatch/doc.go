// Package dispatch is the durable queue. It keeps calls safe, delays them and delivers
// them. It tries them again, commits their outcome once and fires their callbacks.
//
// Most programs need only [Queue]. It submits calls ([Queue.Submit]), tells about
// deferreds ([Queue.Record], [Queue.Await], [Queue.List]) and hands calls to workers
// ([Queue.Join]). jetstream.Open gives a queue over NATS; memory.New gives one that lives
// in this process.
//
// A queue holds policy; mechanics are behind the two seams of package driver. A
// [driver.Broker] keeps messages, each for a duty that is not finished. A [driver.Store]
// keeps one record per deferred, which changes only by compare-and-set. The order of
// writes to the two gives every guarantee:
//
//	submit:  put the message
//	attempt: compare-and-set "running", with the attempt's token
//	         ... the handler ...
//	         compare-and-set the outcome, while the token is still this attempt's
//	         put a message for each callback, then mark it in the record
//	         remove the message
//
// A worker removes a message only when everything that it stands for is stored elsewhere.
// Until then a redelivery finishes each missing step, whichever process died.
//
// The packages below internal form layers: each may use the packages to its right.
//
//	dispatch -> records -> protocol -> wire -> driver -> deferred
//	        \-> maintenance -> records
//	liveness -> driver, used by protocol and everything to its left
//
// Package protocol is the table of decisions: it gives an action for a message in each
// state of its record. carry.go in this package does the actions. A holding is a delivery
// that this worker holds, with the known facts of its record. The worker renews the lease
// of the delivery until it lets go of it.
package dispatch
