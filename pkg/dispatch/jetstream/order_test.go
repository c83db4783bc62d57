package jetstream_test

import (
	"testing"

	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/suite"
)

// inParallel runs a case on the real clock beside others: most of its time is
// waiting for leases and heartbeats to run out.
func inParallel(t *testing.T, f func(t *testing.T)) {
	t.Parallel()
	f(t)
}

func pair(t *testing.T) suite.Pair {
	p := settle(t)
	return suite.Pair{Store: p.store, Broker: p.broker, Lease: p.config.Lease}
}

func TestRulesOfTheOrderOfWrites(t *testing.T) {
	t.Parallel()
	suite.TestRules(t, inParallel, pair)
}

func TestEveryOperationMayFailOrBeTheLast(t *testing.T) {
	t.Parallel()
	suite.TestOrder(t, inParallel, pair, 1)
}

func TestRulesOfWhatWaits(t *testing.T) {
	t.Parallel()
	suite.TestRulesOfWaiting(t, inParallel, pair)
}

func TestQueueKeepsItsWord(t *testing.T) {
	t.Parallel()
	suite.TestQueue(t, inParallel, pair)
}

// Over a server each case takes its seconds of real time, so every fifth is
// told here; the pair in memory, which is held to the same contract, tells all.
func TestEveryOperationOfWhatWaitsMayFailOrBeTheLast(t *testing.T) {
	t.Parallel()
	suite.TestOrderOfWaiting(t, inParallel, pair, 5)
}

func TestEveryOperationOfWhatIsKeptMayFailOrBeTheLast(t *testing.T) {
	t.Parallel()
	suite.TestOrderOfKeeping(t, inParallel, pair, 15)
}

// A thousand nodes need the processor, so they have it alone.
func TestRandomGraphSettlesAsItsEdgesSay(t *testing.T) {
	suite.TestGraph(t, inParallel, pair, 1000)
}

// Ten thousand take ten seconds here, and many more under the race detector
// beside other tests; the pair in memory joins them all.
func TestJoinOfThousandsStaysCheap(t *testing.T) {
	suite.TestWide(t, drivertest.RealClock, pair, 2_000)
}

func TestLeasesThatHadAGap(t *testing.T) {
	t.Parallel()
	suite.TestLeases(t, inParallel, pair)
}
