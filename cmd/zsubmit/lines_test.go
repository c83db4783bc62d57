package main

import "testing"

func TestFiguresAreThoseThatPeopleWrite(t *testing.T) {
	for n, want := range map[float64]string{
		0: "0", 1: "1", 0.25: "0.25", 2.0 / 3: "0.667", 12345: "12345", 1234567890: "1234567890", 12345.6: "12346", -12345: "-12345",
	} {
		if got := figure(n); got != want {
			t.Errorf("%g reads %q, want %q", n, got, want)
		}
	}
}
