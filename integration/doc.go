// Package integration tests what no package can test alone: the whole system
// over a real server, the configuration that is shipped, and the architecture.
package integration
