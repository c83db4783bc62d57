// Package jetstream keeps a queue in NATS JetStream. It is the only package that knows
// NATS. [Store] and [Broker] implement the two interfaces of package driver, and [Open]
// makes a queue over them:
//
//	q, err := jetstream.Open(ctx, nc, jetstream.Config{})
//	defer q.Close()
//
// One installation is a namespace. The default namespace has the streams below. The first
// program that opens the queue makes them; later programs check them and never change
// them:
//
//	ZASYNC_QUEUE         calls that are ready or must wait first, and commands
//	ZASYNC_DELAY         schedules, and the messages of those that fired
//	ZASYNC_ASIDE         messages that could not be understood
//	KV_ZASYNC_STATE      a record per deferred
//	KV_ZASYNC_NOTES      annotations
//	KV_ZASYNC_UNHANDLED  failures that no deferred handles
//	KV_ZASYNC_WORKERS    heartbeats
//	KV_ZASYNC_CONFIG     settings
//
// The exchange sends requests in bulk and receives their answers on one inbox. A
// subscription asks for deliveries with raw pull requests, from one state machine
// (subscription, lane, group): the credit of one lane depends on all the others.
package jetstream
