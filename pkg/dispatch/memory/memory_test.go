package memory_test

import (
	"testing"
	"testing/synctest"

	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/dispatchtest"
	"zasync/pkg/dispatch/memory"
)

func TestStoreKeepsTheContract(t *testing.T) {
	dispatchtest.TestStore(t, synctest.Test, func(*testing.T) dispatch.Store {
		return memory.New(memory.Config{}).Store
	})
}

func TestBrokerKeepsTheContract(t *testing.T) {
	dispatchtest.TestBroker(t, synctest.Test, func(*testing.T) dispatchtest.Brokering {
		return dispatchtest.Brokering{Broker: memory.New(memory.Config{}).Broker, Lease: memory.DefaultLease}
	})
}
