//go:build !race

package suite

const (
	underDetector = false
	fewer         = 1
)
