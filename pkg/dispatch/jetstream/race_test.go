//go:build race

package jetstream_test

// Under the detector the servers of the tests need several times the processor. A data
// race shows in any telling of a story; without the detector all are told.
const (
	fewer  = 8
	atOnce = "6"
)
