package jetstream

import (
	"os"
	"strings"
	"testing"
)

func TestVersionsAreComparedByTheirNumbers(t *testing.T) {
	for version, want := range map[string]bool{
		"2.9.25": true, "2.11.99": true, "1.99.99": true, "2.11.0-RC.1": true,
		"2.12.0": false, "2.12.0-RC.3": false, "2.12.1": false, "2.15.2": false, "10.0.0": false, "3.0.0": false,
		"": false, "dev": false,
	} {
		if got := older(version, "2.12.0"); got != want {
			t.Errorf("%q is older: %v", version, got)
		}
	}
}

func TestDocumentsNameTheLeastServer(t *testing.T) {
	for _, file := range []string{"README.md", "PROTOCOL.md"} {
		text, err := os.ReadFile("../../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "nats-server "+LeastServer) {
			t.Errorf("%s does not say that nats-server %s is needed", file, LeastServer)
		}
	}
}
