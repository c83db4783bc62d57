package complaints_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/dispatch/internal/complaints"

	"github.com/google/go-cmp/cmp"
)

// said collects lines of a log, without their times.
type said struct{ bytes.Buffer }

func (s *said) complaints() *complaints.Log {
	return complaints.New(slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})))
}

func (s *said) are(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(s.String()) {
		got = append(got, strings.TrimSpace(line))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s.Reset()
}

func unserved(n int, err error) complaints.Complaint {
	return complaints.Complaint{
		Level: slog.LevelWarn, Says: "not served", Over: "served again",
		Err: fmt.Errorf("lane %d: %w", n, err), Of: []any{"name", n},
	}
}

func TestComplaintOfManyIsSaidAtOnceThenSummedThenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log said
		c := log.complaints()
		away := errors.New("away")
		for round := range 3 {
			for n := range 500 {
				c.Say(fmt.Sprint(n), unserved(n, away))
			}
			if round == 0 {
				log.are(t, `level=WARN msg="not served" name=0 err="lane 0: away"`)
			}
			time.Sleep(25 * time.Second)
		}
		synctest.Wait()
		log.are(t, `level=WARN msg="not served" count=500 within=1m0s name=499 err="lane 499: away"`)
		for n := range 500 {
			c.Over(fmt.Sprint(n), "not served")
			c.Over(fmt.Sprint(n), "not served")
			if n == 498 {
				log.are(t)
			}
		}
		log.are(t, `level=INFO msg="served again"`)
		time.Sleep(time.Hour)
		log.are(t)
	})
}

func TestComplaintThatIsNotHeardOfForAPeriodIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log said
		c := log.complaints()
		first := []string{`level=WARN msg="not served" name=1 err="lane 1: away"`}
		for range 2 {
			c.Say("1", unserved(1, errors.New("away")))
			log.are(t, first...)
			time.Sleep(2 * time.Minute)
			log.are(t)
			c.Over("1", "not served")
			log.are(t)
		}
	})
}

func TestComplaintsOfDifferentCausesAreSaidEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log said
		c := log.complaints()
		c.Say("1", unserved(1, errors.New("away")))
		c.Say("2", unserved(2, errors.New("full")))
		c.Say("1", unserved(1, errors.New("full")))
		log.are(t, `level=WARN msg="not served" name=1 err="lane 1: away"`, `level=WARN msg="not served" name=2 err="lane 2: full"`)
		c.Say("3", unserved(3, errors.New("away")))
		log.are(t, `level=WARN msg="not served" name=3 err="lane 3: away"`)
		c.Over("2", "not served")
		c.Over("2", "something else")
		c.Over("3", "not served")
		log.are(t)
		c.Over("1", "not served")
		log.are(t, `level=INFO msg="served again"`)
	})
}

func TestComplaintsOfVeryManyCausesAreSaidAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log said
		c := log.complaints()
		for n := range 1000 {
			c.Say("1", unserved(n, errors.New("port "+fmt.Sprint(n))))
			c.Say(fmt.Sprint("other", n), unserved(n, errors.New("port "+fmt.Sprint(n))))
		}
		if n := strings.Count(log.String(), "\n"); n > 40 {
			t.Errorf("%d lines for 1000 causes", n)
		}
	})
}
