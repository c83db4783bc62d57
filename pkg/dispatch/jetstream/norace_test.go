//go:build !race

package jetstream_test

// atOnce is how many tests run at a time: they wait for leases and heartbeats more
// than they work.
const atOnce = "16"
