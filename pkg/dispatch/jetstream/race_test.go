//go:build race

package jetstream_test

// atOnce: under the detector the servers of the tests need several times the processor.
const atOnce = "4"
