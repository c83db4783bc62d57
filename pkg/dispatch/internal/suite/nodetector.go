//go:build !race

package suite

// fewer thins out nothing: all operations of the long stories are told.
const fewer = 1
