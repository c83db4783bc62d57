package jetstream

import (
	"fmt"

	"github.com/nats-io/nats.go"
)

// LeastServer is the oldest version of the NATS server on which every test of this package
// has passed. Message schedules came with 2.12.0, but the servers from there to 2.12.7
// fail the tests of a full store.
const LeastServer = "2.12.15"

// VersionError says that the server is too old. Nothing was made on it.
type VersionError struct {
	Server string // its version
	Least  string // the oldest version that works
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("jetstream: the NATS server is version %s, and zasync needs %s or later: update the server; nothing was made on it", e.Server, e.Least)
}

// checkServer refuses an old server before Open makes anything on it. Such a server would
// ignore settings that it does not know, and its streams would be wrong after an update.
// If the version cannot be read, checkServer accepts the server.
func checkServer(nc *nats.Conn) error {
	version := nc.ConnectedServerVersion()
	if older(version, LeastServer) {
		return &VersionError{Server: version, Least: LeastServer}
	}
	return nil
}

func older(version, least string) bool {
	have, readable := numbers(version)
	want, _ := numbers(least)
	for i := range want {
		if have[i] != want[i] {
			return readable && have[i] < want[i]
		}
	}
	return false
}

// numbers reads the three numbers at the start of a version.
func numbers(version string) (n [3]int, ok bool) {
	_, err := fmt.Sscanf(version, "%d.%d.%d", &n[0], &n[1], &n[2])
	return n, err == nil
}
