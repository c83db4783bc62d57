package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zasync/integration/internal/proc"
	"zasync/pkg/deferred"
)

// submitOnAndOn is given a server and a file, to which it writes each id before
// it tries to submit it and when that was acknowledged, a line and a write each.
func submitOnAndOn(ctx context.Context, args []string) error {
	q, err := join(ctx, args[0])
	if err != nil {
		return err
	}
	journal, err := os.OpenFile(args[1], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	errs := make(chan error)
	for i := range 8 {
		size := 1 + 9*(i%2) // singly, and in batches
		go func() {
			for {
				if err := submitAndTell(ctx, q, size, journal); err != nil {
					errs <- err
				}
			}
		}()
	}
	return <-errs
}

func submitAndTell(ctx context.Context, s deferred.Submitter, size int, journal *os.File) error {
	calls := make([]deferred.Call, size)
	for i := range calls {
		calls[i] = sum()
		calls[i].ID = deferred.NewID()
		if _, err := fmt.Fprintf(journal, "tried %s\n", calls[i].ID); err != nil {
			return err
		}
	}
	ds, err := s.Submit(ctx, calls...)
	for _, d := range ds {
		if _, err := fmt.Fprintf(journal, "acknowledged %s\n", d.ID()); err != nil {
			return err
		}
	}
	return err
}

// told reads the journal of a submitter.
func told(t *testing.T, file string) (tried, acknowledged map[deferred.ID]bool) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	tried, acknowledged = map[deferred.ID]bool{}, map[deferred.ID]bool{}
	for line := range strings.Lines(string(data)) {
		what, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		if what == "tried" {
			tried[deferred.ID(id)] = true
		} else {
			acknowledged[deferred.ID(id)] = true
		}
	}
	return tried, acknowledged
}

func TestWhatAKilledSubmitterWasToldIsPerformed(t *testing.T) {
	f := newFleet(t)
	file := filepath.Join(t.TempDir(), "journal")
	submitter := proc.Start(t, role("submitter", f.url(), file))
	f.until("it has submitted a while", func() bool {
		_, acknowledged := told(t, file)
		return len(acknowledged) > 500
	})
	submitter.Kill()
	f.zworker("--slots", "50")
	tried, acknowledged := told(t, file)
	for id := range acknowledged {
		f.ends(id, deferred.Succeeded, 1, deferred.Counts{})
	}
	f.conclude() // so that what has no record now never gets one
	stored := 0
	for id := range tried {
		switch _, err := f.queue.Record(f.ctx, id); {
		case err == nil:
			stored++
			f.ends(id, deferred.Succeeded, 1, deferred.Counts{})
		case !errors.Is(err, deferred.ErrNotFound) || acknowledged[id]:
			t.Errorf("%s: %v", id, err)
		}
	}
	t.Logf("%d calls were tried, %d stored, %d acknowledged", len(tried), stored, len(acknowledged))
}
