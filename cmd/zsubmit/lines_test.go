package main

import (
	"testing"

	"zasync/pkg/deferred"
)

func TestFiguresAreThoseThatPeopleWrite(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", 1: "1", 0.25: "0.25", 2.0 / 3: "0.667", 12345: "12345", 1234567890: "1234567890", 12345.6: "12346", -12345: "-12345",
	} {
		if got := figure(n); got != want {
			t.Errorf("%g reads %q, want %q", n, got, want)
		}
	}
}

func TestProgressIsCompleteOnlyWhenItIs(t *testing.T) {
	for _, c := range []struct {
		done, total float64
		want        string
	}{
		{1, 4, "25%"}, {999, 1000, "99%"}, {9999999, 10000000, "99%"}, {1000, 1000, "100%"}, {1, 1000, "0%"}, {1500, 1000, "150%"},
		{12345, 0, "12345"}, {-5, 10, "-50%"}, {1e308, 1e-10, "1e+308"}, {1, 3, "33%"}, {2, 3, "67%"},
	} {
		if got := progressText(deferred.Progress{Done: c.done, Total: c.total}); got != c.want {
			t.Errorf("%g of %g reads %q, want %q", c.done, c.total, got, c.want)
		}
	}
}
