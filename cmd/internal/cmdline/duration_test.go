package cmdline

import (
	"testing"
	"time"
)

func TestDurationsMayBeginWithDays(t *testing.T) {
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "1d": day, "1d12h": day + 12*time.Hour, "0d": 0, "-5s": -5 * time.Second} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1d-2h", "1.5d", "1dd", "1d2", "999999999d"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
}
