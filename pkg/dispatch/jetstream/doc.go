// Package jetstream keeps a queue in NATS JetStream. It is the only code that
// knows NATS: [Store] and [Broker] are dispatch's two seams, and [Open] puts a
// queue over them:
//
//	q, err := jetstream.Open(ctx, nc, jetstream.Config{})
//	defer q.Close()
//
// One installation is a namespace. With the default one it is these streams,
// made by whoever comes first, and afterwards checked and never changed:
//
//	ZASYNC_QUEUE       calls that are ready or must wait first, and commands
//	ZASYNC_DELAY       schedules, and what became due
//	ZASYNC_ASIDE       messages that could not be understood
//	KV_ZASYNC_STATE    a record per deferred
//	KV_ZASYNC_NOTES    annotations
//	KV_ZASYNC_WORKERS  heartbeats
//	KV_ZASYNC_CONFIG   settings
//
// Requests go out in bulk and their answers come to one inbox (exchange).
// Deliveries are asked for by raw pull requests, through one state machine a
// subscription (subscription, lane, group), because what may be asked of one
// lane depends on all the others.
package jetstream
