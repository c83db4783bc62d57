package memory_test

import (
	"strconv"
	"testing"
	"testing/synctest"

	"zasync/pkg/dispatch/internal/suite"
	"zasync/pkg/dispatch/memory"
)

func pair(*testing.T) suite.Pair {
	p := memory.New(memory.Config{})
	return suite.Pair{Store: p.Store, Broker: p.Broker, Lease: memory.DefaultLease}
}

func TestEveryOperationMayFailOrBeTheLast(t *testing.T) {
	suite.TestOrder(t, synctest.Test, pair, 1)
}

func TestRulesOfTheOrderOfWrites(t *testing.T) {
	suite.TestRules(t, synctest.Test, pair)
}

func TestRulesOfWhatWaits(t *testing.T) {
	suite.TestRulesOfWaiting(t, synctest.Test, pair)
}

func TestQueueKeepsItsWord(t *testing.T) {
	suite.TestQueue(t, synctest.Test, pair)
}

func TestScheduleThatWasRefusedOnceFiresInTheEnd(t *testing.T) {
	suite.TestSweep(t, synctest.Test, pair)
}

func TestEveryOperationOfWhatWaitsMayFailOrBeTheLast(t *testing.T) {
	suite.TestOrderOfWaiting(t, synctest.Test, pair, 1)
}

func TestEveryOperationOfWhatIsKeptMayFailOrBeTheLast(t *testing.T) {
	suite.TestOrderOfKeeping(t, synctest.Test, pair, 1)
}

func TestRandomGraphSettlesAsItsEdgesSay(t *testing.T) {
	suite.TestGraph(t, synctest.Test, pair, 1000)
}

func TestDeferredsKeepTheirWord(t *testing.T) {
	suite.TestDeferreds(t, synctest.Test, pair)
}

func TestDeferredsKeepTheirWordOverTime(t *testing.T) {
	suite.TestDeferredsOverTime(t, synctest.Test, pair)
}

func TestJoinOfTenThousandStaysCheap(t *testing.T) {
	suite.TestWide(t, synctest.Test, pair, 10_000)
}

func TestRandomGraphIsPerformedInAStorm(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			suite.TestStorm(t, synctest.Test, pair, 120, seed)
		})
	}
}

func TestFresh(t *testing.T) {
	suite.TestFreshness(t, synctest.Test, pair)
}

func TestLeasesThatHadAGap(t *testing.T) {
	suite.TestLeases(t, synctest.Test, pair)
}

func TestOutageIsOutlastedForAsLongAsTheContextLasts(t *testing.T) {
	suite.TestOutage(t, synctest.Test, pair)
}
