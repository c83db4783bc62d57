package main

import (
	"context"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"

	"github.com/google/go-cmp/cmp"
)

// one is a deferred with a ledger of its own.
type one struct{ d *deferred.Deferred }

func (o one) Record(ctx context.Context, _ deferred.ID) (deferred.Record, error) {
	return o.d.Record(ctx)
}

func (o one) Watch(ctx context.Context, _ deferred.ID) iter.Seq2[deferred.Change, error] {
	return o.d.Watch(ctx)
}

func TestEveryChangeIsALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deferred.Go(t.Context(), func(ctx context.Context) (int, error) {
			for _, done := range []float64{1, 1.001} { // which reads the same
				time.Sleep(time.Second)
				if err := deferred.Report(ctx, deferred.Progress{Done: done, Total: 4, Message: "on it"}); err != nil {
					return 0, err
				}
			}
			return 6, nil
		})
		var out strings.Builder
		r, err := follow(t.Context(), one{d}, d.ID(), reach{}, newLines(&out))
		if err != nil || r.State != deferred.Succeeded {
			t.Fatal(r.State, err)
		}
		start := time.Now().Add(-2 * time.Second)
		want := ""
		for i, text := range []string{"running    attempt 1", "progress   25% on it", "succeeded  6"} {
			want += start.Add(time.Duration(i)*time.Second).Format(time.TimeOnly) + "  " + string(d.ID()) + "  " + text + "\n"
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestFollowingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deferred.Go(t.Context(), func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if r, err := follow(ctx, one{d}, d.ID(), reach{}, newLines(&strings.Builder{})); err == nil {
			t.Errorf("it ended as %s", r.State)
		}
	})
}

func TestInfoIsWhatMattersInTheState(t *testing.T) {
	failure := &deferred.Failure{Kind: "error", Message: "broke"}
	for _, c := range []struct {
		record deferred.Record
		want   string
	}{
		{deferred.Record{State: deferred.Pending}, ""},
		{deferred.Record{State: deferred.Scheduled, NotBefore: now.Add(5 * time.Minute)}, "begins in 5m"},
		{deferred.Record{State: deferred.Scheduled, NotBefore: now}, "begins now"},
		{
			deferred.Record{State: deferred.Scheduled, NotBefore: now.Add(time.Second), Counts: deferred.Counts{Failures: 1}, Failure: failure},
			"will be tried again in 1s: broke",
		},
		{deferred.Record{State: deferred.Running, Started: now.Add(-time.Minute)}, "for 60s"},
		{deferred.Record{State: deferred.Succeeded, Result: deferred.JSON([]byte("[1, 2]"))}, "[1,2]"},
		{deferred.Record{State: deferred.Failed, Failure: failure}, "broke"},
	} {
		if got := info(&c.record, now); got != c.want {
			t.Errorf("%s: %q, want %q", c.record.State, got, c.want)
		}
	}
}
