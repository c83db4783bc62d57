package jetstream

import (
	"fmt"

	"github.com/nats-io/nats.go"
)

// LeastServer is the oldest version of the NATS server that zasync works with:
// the first that has message schedules.
const LeastServer = "2.12.0"

// VersionError says that the server is too old. Nothing was made on it.
type VersionError struct {
	Server string // its version
	Least  string // that is needed
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("jetstream: the NATS server is version %s, and zasync needs %s or later: update the server; nothing was made on it", e.Server, e.Least)
}

// checkServer refuses a server that is too old before anything is made there: it
// would leave out what it does not know, and the streams would stand in the way
// after an update. A version that cannot be read is left to try.
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

// numbers reads the three that a version begins with.
func numbers(version string) (n [3]int, ok bool) {
	_, err := fmt.Sscanf(version, "%d.%d.%d", &n[0], &n[1], &n[2])
	return n, err == nil
}
