//go:build race

package suite

// Under the race detector everything takes several times the processor, and a data
// race shows in any telling of a story: so fewer are told, and smaller ones. Without
// the detector all are told.
const (
	underDetector = true
	fewer         = 8
)
