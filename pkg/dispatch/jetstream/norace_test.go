//go:build !race

package jetstream_test

const (
	atOnce = "24" // tests wait for leases and heartbeats more than they work
	oneOf  = 1
)
