package drivertest

import (
	"testing"
	"time"

	"zasync/pkg/dispatch/driver"
)

// Brokering is a broker with what the suite has to know about it.
type Brokering struct {
	Broker driver.Broker
	Lease  time.Duration // the broker's own; at least a second on a real server
}

// TestBroker is the contract of a [dispatch.Broker]. open gives an empty one; it
// is called once a subtest, by the subtest's clock.
func TestBroker(t *testing.T, clock Clock, open func(t *testing.T) Brokering) {
	for _, group := range [][]brokerTest{putTests, leaseTests, creditTests, scheduleTests, lookTests} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				clock(t, func(t *testing.T) {
					b := open(t)
					c.test(t, bench{t, b.Broker, b.Lease})
				})
			})
		}
	}
}

type brokerTest struct {
	name string
	test func(*testing.T, bench)
}
