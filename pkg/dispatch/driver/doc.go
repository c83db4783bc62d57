// Package driver is the interface between the queue and its server, as
// database/sql/driver is for database/sql. It has what a server must do for package
// dispatch, and no more.
//
// A [Broker] keeps messages and hands them to subscribers under a lease. A [Store] keeps
// values and changes them by compare-and-set. Package jetstream implements both over NATS
// JetStream; package memory implements both in this process. The author of a third
// implementation runs package drivertest over it, which is their contract.
//
// Programs use dispatch.Queue, and nothing of this package.
package driver
