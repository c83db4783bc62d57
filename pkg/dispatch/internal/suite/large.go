package suite

import (
	"testing"

	"zasync/pkg/dispatch/driver/drivertest"
)

// TestLarge has the case of a join with as many members as its record holds.
func TestLarge(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runCases(t, []rigCase{{"JoinRefusesMoreMembersThanItMayHave", tooManyMembers}}, clock, open)
}

// TestLargeOverTime has the cases of large lists over many lives of a record.
func TestLargeOverTime(t *testing.T, clock drivertest.Clock, open func(t *testing.T) Pair) {
	runWithin(t, days, []rigCase{
		{"AdopterOfAListIsWholeForAsLongAsItIsKept", adopterOfAList},
		{"CallbackOnWhatHasLetGoKeepsItAgainWhoeverDies", hungWhileDying},
	}, clock, open)
}
