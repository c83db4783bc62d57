package embedded

import (
	"math"
	"os"
	"runtime/debug"
)

// limitMemory sets the soft limit for the process unless somebody has decided
// on one. Restoring leaves a limit alone that was set by others since.
func limitMemory(limit int64) (restore func()) {
	if limit == 0 {
		limit = DefaultMemoryLimit
	}
	_, decided := os.LookupEnv("GOMEMLIMIT")
	if limit < 0 || decided || debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return func() {}
	}
	debug.SetMemoryLimit(limit)
	return func() {
		if debug.SetMemoryLimit(-1) == limit {
			debug.SetMemoryLimit(math.MaxInt64)
		}
	}
}
