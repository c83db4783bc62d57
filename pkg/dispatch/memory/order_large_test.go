//go:build !race

package memory_test

import (
	"testing"
	"testing/synctest"

	"zasync/pkg/dispatch/internal/suite"
)

// These cases are built without the race detector: under it each takes a minute, and
// smaller cases run the same code.

func TestLargeJoin(t *testing.T) {
	suite.TestLarge(t, synctest.Test, pair)
}

func TestLargeLists(t *testing.T) {
	suite.TestLargeOverTime(t, synctest.Test, pair)
}
