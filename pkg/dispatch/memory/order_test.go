package memory_test

import (
	"strconv"
	"testing"
	"testing/synctest"

	"zasync/pkg/dispatch/dispatchtest"
	"zasync/pkg/dispatch/memory"
)

func pair(*testing.T) dispatchtest.Pair {
	p := memory.New(memory.Config{})
	return dispatchtest.Pair{Store: p.Store, Broker: p.Broker, Lease: memory.DefaultLease}
}

func TestEveryOperationMayFailOrBeTheLast(t *testing.T) {
	dispatchtest.TestOrder(t, synctest.Test, pair, 1)
}

func TestRulesOfTheOrderOfWrites(t *testing.T) {
	dispatchtest.TestRules(t, synctest.Test, pair)
}

func TestRulesOfWhatWaits(t *testing.T) {
	dispatchtest.TestRulesOfWaiting(t, synctest.Test, pair)
}

func TestQueueKeepsItsWord(t *testing.T) {
	dispatchtest.TestQueue(t, synctest.Test, pair)
}

func TestScheduleThatWasRefusedOnceFiresInTheEnd(t *testing.T) {
	dispatchtest.TestSweep(t, synctest.Test, pair)
}

func TestEveryOperationOfWhatWaitsMayFailOrBeTheLast(t *testing.T) {
	dispatchtest.TestOrderOfWaiting(t, synctest.Test, pair, 1)
}

func TestEveryOperationOfWhatIsKeptMayFailOrBeTheLast(t *testing.T) {
	dispatchtest.TestOrderOfKeeping(t, synctest.Test, pair, everyKept)
}

func TestRandomGraphSettlesAsItsEdgesSay(t *testing.T) {
	dispatchtest.TestGraph(t, synctest.Test, pair, 1000)
}

func TestDeferredsKeepTheirWord(t *testing.T) {
	dispatchtest.TestDeferreds(t, synctest.Test, pair)
}

func TestDeferredsKeepTheirWordOverTime(t *testing.T) {
	dispatchtest.TestDeferredsOverTime(t, synctest.Test, pair)
}

func TestJoinOfTenThousandStaysCheap(t *testing.T) {
	dispatchtest.TestWide(t, synctest.Test, pair, 10_000)
}

func TestRandomGraphIsPerformedInAStorm(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			dispatchtest.TestStorm(t, synctest.Test, pair, 120, seed)
		})
	}
}

func TestFresh(t *testing.T) {
	dispatchtest.TestFreshness(t, synctest.Test, pair)
}

func TestLeasesThatHadAGap(t *testing.T) {
	dispatchtest.TestLeases(t, synctest.Test, pair)
}

func TestOutageIsOutlastedForAsLongAsTheContextLasts(t *testing.T) {
	dispatchtest.TestOutage(t, synctest.Test, pair)
}
