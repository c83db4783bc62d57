package main

import (
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"
)

func numbered(n int) iter.Seq2[deferred.Record, error] {
	return func(yield func(deferred.Record, error) bool) {
		for i := range n {
			if !yield(deferred.Record{ID: deferred.ID(fmt.Sprint(i)), State: deferred.Pending}, nil) {
				return
			}
		}
	}
}

func TestLimitKeepsTheLastInTheirOrder(t *testing.T) {
	for _, c := range []struct {
		limit, n   int
		want, note string
	}{
		{0, 3, "0 1 2", ""},
		{3, 2, "0 1", ""},
		{3, 3, "0 1 2", ""},
		{3, 4, "1 2 3", "zsubmit: 1 more"},
		{3, 8, "5 6 7", "zsubmit: 5 more"},
		{3, 9, "6 7 8", "zsubmit: 6 more"},
	} {
		var out, err strings.Builder
		o := listOptions{base: base{streams: streams{out: &out, err: &err}}, limit: c.limit}
		if err := o.printTo(&printer{out: &out, form: asIDs}, numbered(c.n)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(strings.Fields(out.String()), " "); got != c.want || !strings.HasPrefix(err.String(), c.note) {
			t.Errorf("the last %d of %d: %q, %q", c.limit, c.n, got, err.String())
		}
	}
}

func TestFilterOfAListIsBetweenTimesThatLieBack(t *testing.T) {
	c := listCommand(streams{})
	o, err := read(t, c, func(c *cli.Context) (listOptions, error) { return readList(c, streams{}, now) },
		"--since", "2h", "--until", "11:30", "--settled-until", "10m")
	want := dispatch.Filter{
		Submitted: dispatch.Interval{Since: now.Add(-2 * time.Hour), Until: now.Add(-30 * time.Minute)},
		Settled:   dispatch.Interval{Until: now.Add(-10 * time.Minute)},
	}
	if diff := cmp.Diff(want, o.filter); err != nil || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

func TestWhatCannotBeReadIsNamedAndTheRestIsShown(t *testing.T) {
	found := func(yield func(deferred.Record, error) bool) {
		for i := range maxNamed + 2 {
			if !yield(deferred.Record{}, fmt.Errorf("record %d: %w", i, dispatch.ErrUnreadable)) {
				return
			}
		}
		yield(deferred.Record{ID: "a"}, nil)
	}
	for _, limit := range []int{0, 5} {
		var out, stderr strings.Builder
		o := listOptions{base: base{streams: streams{out: &out, err: &stderr}}, limit: limit}
		err := o.printTo(&printer{out: &out, form: asIDs}, found)
		if named := strings.Count(stderr.String(), "not shown: record "); out.String() != "a\n" || named != maxNamed {
			t.Errorf("limit %d: printed %q, named %d", limit, out.String(), named)
		}
		if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprint(maxNamed+2)) || cmdline.Code(err) != cmdline.Error {
			t.Errorf("limit %d: ended with %v", limit, err)
		}
	}
}
