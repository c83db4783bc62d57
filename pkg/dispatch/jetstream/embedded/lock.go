package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// The lock and the process that has it are in two files, because where locks
// are mandatory nobody else could read the one that is locked.
const (
	lockFile = "zasync.lock"
	pidFile  = "zasync.pid"
)

// LockedError says that another server works on the store.
type LockedError struct {
	Dir string
	PID int // the process it runs in; 0 if unknown
}

func (e *LockedError) Error() string {
	by := "another process"
	switch e.PID {
	case 0:
	case os.Getpid():
		by = "another server of this process"
	default:
		by = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("embedded: store %s is in use by %s; connect to the server there, stop it, or choose another directory", e.Dir, by)
}

// lock takes the directory for this process until unlock, or until the process
// dies in any way: the lock is the system's, not a file that could stay behind.
func lock(dir string) (unlock func(), err error) {
	l := flock.New(filepath.Join(dir, lockFile))
	got, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("embedded: lock store %s: %w", dir, err)
	}
	pid := filepath.Join(dir, pidFile)
	if !got {
		return nil, &LockedError{Dir: dir, PID: readPID(pid)}
	}
	// The lock file is never removed: a process that opened it just before would
	// lock a file that nobody else finds. Both errors lose no more than the
	// courtesy of naming the process, or of unlocking before the process ends.
	unlock = func() {
		_ = os.Remove(pid)
		_ = l.Unlock()
	}
	if err := os.WriteFile(pid, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o640); err != nil {
		unlock()
		return nil, fmt.Errorf("embedded: lock store: %w", err)
	}
	return unlock, nil
}

func readPID(path string) int {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return 0
	}
	return pid
}
