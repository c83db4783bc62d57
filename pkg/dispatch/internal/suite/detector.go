//go:build race

package suite

// fewer thins out the operations of the long stories, and the nodes of the random graph.
// Under the race detector they take several times the processor, and a data race shows
// in any of them. Without the detector all are told.
const fewer = 8
