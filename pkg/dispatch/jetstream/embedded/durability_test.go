package embedded

import (
	"testing"
	"time"
)

// The settings are looked at in the server that runs, since what a server makes
// of its options is what counts.
func TestDurabilityIsThatOfTheRunningServer(t *testing.T) {
	tests := []struct {
		durability Durability
		always     bool
	}{
		{"", false},
		{Normal, false},
		{Strict, true},
	}
	for _, tt := range tests {
		srv, err := Start(t.Context(), Config{Durability: tt.durability})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Stop()
		js := srv.nats.JetStreamConfig()
		if js.SyncInterval != 250*time.Millisecond || js.SyncAlways != tt.always {
			t.Errorf("durability %q: syncs every %s, on every write: %t; want 250ms and %t",
				tt.durability, js.SyncInterval, js.SyncAlways, tt.always)
		}
	}
}
