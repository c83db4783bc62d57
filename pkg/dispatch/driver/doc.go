// Package driver is the seam under the queue, as database/sql/driver is under
// database/sql: what a server must do for package dispatch, and no more.
//
// A [Broker] keeps messages and hands them to subscribers under a lease; a [Store]
// keeps values and changes them by compare-and-set. Package jetstream implements both
// over NATS JetStream, package memory in this process. Whoever writes a third runs
// package drivertest over it, which is their contract.
//
// Programs use dispatch.Queue, and nothing of this.
package driver
