//go:build race

package jetstream_test

// atOnce is how many tests run at a time: under the detector their servers need
// several times the processor.
const atOnce = "4"
