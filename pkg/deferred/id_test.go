package deferred_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"zasync/pkg/deferred"
)

func TestChildIDIsTheDocumentedHash(t *testing.T) {
	// printf 'a\0000' | sha256sum | cut -c1-32, and so on.
	for _, test := range []struct {
		parent deferred.ID
		index  int
		want   deferred.ID
	}{
		{"a", 0, "b0e8de8d4e6b1207f3869a7d8738f251"},
		{"parent", 1, "ae200c481ddac1dd296bbdf1363f8478"},
		{"01JD0", 10, "9a92a4aa41d2a579b55fb197ae52b317"},
	} {
		if got := deferred.ChildID(test.parent, test.index); got != test.want {
			t.Errorf("ChildID(%q, %d) = %q, want %q", test.parent, test.index, got, test.want)
		}
	}
}

func TestChildIDsAreValidAndTheirOwn(t *testing.T) {
	seen := map[deferred.ID]bool{}
	parent := deferred.NewID()
	for i := range 200 {
		id := deferred.ChildID(parent, i)
		if err := id.Check(); err != nil {
			t.Fatal(err)
		}
		if seen[id] {
			t.Fatalf("index %d has the id of another one", i)
		}
		seen[id] = true
	}
	if deferred.ChildID("a1", 1) == deferred.ChildID("a", 11) {
		t.Error("parent and index run into one another")
	}
}

func TestNewIDsAreValidAndDiffer(t *testing.T) {
	seen := map[deferred.ID]bool{}
	for range 1000 {
		id := deferred.NewID()
		if err := id.Check(); err != nil {
			t.Fatal(err)
		}
		if len(id) < 22 {
			t.Fatalf("%q is too short for 128 bits", id)
		}
		if seen[id] {
			t.Fatalf("%q came twice", id)
		}
		seen[id] = true
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

func TestExactlyTheAlphabetIsAllowedInIDsAndNames(t *testing.T) {
	for c := range 256 {
		s := "x" + string([]byte{byte(c)})
		inID := strings.IndexByte(alphabet, byte(c)) >= 0
		if got := deferred.ID(s).Check() == nil; got != inID {
			t.Errorf("id %q is valid: %v, want %v", s, got, inID)
		}
		inName := inID || c == '/'
		if got := deferred.CheckName(s) == nil; got != inName {
			t.Errorf("name %q is valid: %v, want %v", s, got, inName)
		}
		if got := deferred.CheckQueue(s) == nil; got != inName {
			t.Errorf("queue %q is valid: %v, want %v", s, got, inName)
		}
	}
}

func TestADashAloneIsNoID(t *testing.T) {
	var input *deferred.InputError
	if err := deferred.ID("-").Check(); !errors.As(err, &input) || input.Field != deferred.FieldID {
		t.Errorf("got %v, want an InputError on the id", err)
	}
	for _, id := range []deferred.ID{"--", "-a", "a-", "_"} {
		if err := id.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestIDsOfTheAlphabetUpToTheLimitAreValid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.RuneFrom([]rune(alphabet)), 1, 66, -1).Draw(t, "id")
		want := len(s) <= deferred.MaxIDLength && s != "-"
		if got := deferred.ID(s).Check() == nil; got != want {
			t.Fatalf("%q of %d bytes is valid: %v", s, len(s), got)
		}
	})
}
