//go:build !race

package jetstream_test

const (
	atOnce = "16" // tests wait for leases and heartbeats more than they work
	oneOf  = 1
)
