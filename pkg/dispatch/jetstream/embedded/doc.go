// Package embedded runs a NATS server with JetStream inside the program that
// uses it, for laptops, single machines and tests:
//
//	srv, err := embedded.Start(ctx, embedded.Config{Store: "/var/lib/jobs"})
//	defer srv.Stop()
//	nc, err := srv.Connect()
//
// The zero [Config] serves this process alone, from a temporary directory. With
// [Config.Listen] other programs reach the server over TCP as any other NATS.
//
// The server itself does not keep a second one out of its store: both would
// hand out the same sequences for different messages. This package locks the
// directory, and the second one is told by whom it is in use ([LockedError]).
//
// A server whose disk was full refuses all writes for good, also once there is
// room again. This package notices, says so, and starts the server anew on its
// store as soon as that can be written; clients reconnect by themselves.
package embedded
