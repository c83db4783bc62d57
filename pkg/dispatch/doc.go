// Package dispatch is the durable queue: it keeps calls safe, delivers them,
// delays them, tries them again, commits their outcome once and fires their
// callbacks.
//
// [Queue] is all that most programs need. It submits calls
// ([Queue.Submit]), tells about deferreds ([Queue.Record], [Queue.Await],
// [Queue.List]) and hands calls to workers ([Queue.Join]). jetstream.Open gives
// one over NATS; memory.New gives one that lives in this process.
//
// A queue holds policy; mechanics are behind the two seams of package driver. A
// [driver.Broker] keeps messages, each the carrier of a duty that is not finished; a
// [driver.Store] keeps one record per deferred, changed only by compare-and-set. What
// keeps every promise is the order of writes between the two:
//
//	submit:  put the message
//	attempt: compare-and-set "running", with the attempt's token
//	         ... the handler ...
//	         compare-and-set the outcome, while the token is still this one's
//	         put a message for each callback, then mark it in the record
//	         remove the message
//
// A message goes only when everything that it stands for is stored elsewhere.
// Until then a redelivery finishes whatever step was missing, whoever died.
//
// The rooms below internal keep the floors: each may use the rooms to its right.
//
//	dispatch -> records -> protocol -> wire -> driver -> deferred
//	        \-> maintenance -> records
//	liveness -> driver, used by protocol and everything to its left
//
// protocol is the table of what a message means in each state of its record: an
// action. carry.go in this package does the actions. A holding is a delivery in the
// hands of this worker, with what is known of its record; the worker renews its lease
// until it lets go of it.
package dispatch
