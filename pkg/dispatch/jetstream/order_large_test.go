//go:build !race

package jetstream_test

import (
	"testing"

	"zasync/pkg/dispatch/internal/suite"
)

// These suites are built without the race detector, under which their servers need
// minutes. Under it the pair in memory runs TestDeferreds, and the other suites of this
// package run the same code of the seams.

func TestDeferredsKeepTheirWord(t *testing.T) {
	t.Parallel()
	suite.TestDeferreds(t, inParallel, pair)
}

func TestLargeJoin(t *testing.T) {
	t.Parallel()
	suite.TestLarge(t, inParallel, pair)
}
