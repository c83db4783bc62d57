//go:build !race

package jetstream_test

const (
	fewer  = 1    // the long stories leave out no operation
	atOnce = "24" // tests wait for leases and heartbeats more than they work
)
