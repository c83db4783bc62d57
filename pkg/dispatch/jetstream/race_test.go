//go:build race

package jetstream_test

// Under the detector the servers of the tests need several times the processor. A race
// in the queue shows over the pair in memory, where all cases run; one in this package
// shows in any case.
const (
	atOnce = "4"
	oneOf  = 3
)
