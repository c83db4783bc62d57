package memory

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestJournalIsWhatWasAddedAndNotStruckOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var j journal[uint64]
		var model []uint64
		next := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				next += rapid.Uint64Range(1, 3).Draw(t, "step")
				number := next
				j.add(number, &number)
				model = append(model, number)
			},
			"strike": func(t *rapid.T) {
				number := rapid.Uint64Range(0, next+1).Draw(t, "number")
				j.strike(number)
				model = slices.DeleteFunc(model, func(n uint64) bool { return n == number })
			},
			"": func(t *rapid.T) {
				from := rapid.Uint64Range(0, next+1).Draw(t, "from")
				var got, want []uint64
				for v := range j.after(from) {
					got = append(got, *v)
				}
				for _, n := range model {
					if n > from {
						want = append(want, n)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" || j.len() != len(model) {
					t.Fatalf("%d values, want %d; after %d (-want +got):\n%s", j.len(), len(model), from, diff)
				}
				if found := j.at(from) != nil; found != slices.Contains(model, from) {
					t.Fatalf("%d is there: %t", from, found)
				}
				if len(j.lines) > 2*len(model) {
					t.Fatalf("%d lines for %d values", len(j.lines), len(model))
				}
			},
		})
	})
}
