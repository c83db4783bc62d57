//go:build !race

package jetstream_test

// fewer thins out the operations of the long stories that are tried: not at all.
const fewer = 1
