package deferred_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"zasync/pkg/deferred"
)

// column of the table in the package comment, by its heading.
var columns = []deferred.State{deferred.Scheduled, deferred.Pending, deferred.Running, deferred.Waiting, deferred.Held}

func settledStates() []deferred.State {
	return []deferred.State{deferred.Succeeded, deferred.Failed, deferred.Cancelled, deferred.Expired}
}

// rowStates gives the states that a row of the table stands for.
func rowStates(row string) []deferred.State {
	switch row {
	case "new":
		return []deferred.State{""}
	case "settled":
		return settledStates()
	}
	return []deferred.State{deferred.State(row)}
}

func TestTableInThePackageCommentIsTheTableInTheCode(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^//\t(\w+) +\| +([x.]) +([x.]) +([x.]) +([x.]) +([x.]) +([x.])$`).FindAllStringSubmatch(string(doc), -1)
	if len(rows) != 7 {
		t.Fatalf("found %d rows of the table, want 7", len(rows))
	}
	for _, row := range rows {
		for _, from := range rowStates(row[1]) {
			for i, to := range columns {
				if got, want := from.MayBecome(to), row[2+i] == "x"; got != want {
					t.Errorf("%q may become %q: %v, the package comment says %v", from, to, got, want)
				}
			}
			for _, to := range settledStates() {
				want := row[7] == "x" || from == to
				if got := from.MayBecome(to); got != want {
					t.Errorf("%q may become %q: %v, the package comment says %v", from, to, got, want)
				}
			}
		}
	}
}

func TestEveryArrowOfThePictureIsAllowed(t *testing.T) {
	arrows := []struct{ name, from, to string }{
		{"submit", "", "scheduled"},
		{"submit", "", "pending"},
		{"submit", "", "waiting"},
		{"due", "scheduled", "pending"},
		{"hold", "pending", "held"},
		{"release", "held", "pending"},
		{"claim", "pending", "running"},
		{"takeover", "running", "running"},
		{"retry", "running", "scheduled"},
		{"", "running", "waiting"},
		{"", "running", "succeeded"}, {"", "running", "failed"}, {"", "running", "cancelled"}, {"", "running", "expired"},
		{"any settled state", "waiting", "succeeded"}, {"any settled state", "waiting", "failed"},
		{"any settled state", "waiting", "cancelled"}, {"any settled state", "waiting", "expired"},
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range arrows {
		if !strings.Contains(string(doc), a.name) {
			t.Errorf("the picture names no arrow %q", a.name)
		}
		if !deferred.State(a.from).MayBecome(deferred.State(a.to)) {
			t.Errorf("%s: %q may not become %q, which the picture shows", a.name, a.from, a.to)
		}
	}
}

// anyState draws states, the missing record and things that are no states.
func anyState() *rapid.Generator[deferred.State] {
	return rapid.OneOf(
		rapid.SampledFrom(deferred.States),
		rapid.Just(deferred.State("")),
		rapid.Map(rapid.String(), func(s string) deferred.State { return deferred.State(s) }),
	)
}

func TestTransitionsKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := anyState().Draw(t, "from"), anyState().Draw(t, "to")
		may := from.MayBecome(to)
		switch {
		case may && !to.Known():
			t.Fatalf("%q may become %q, which is no state", from, to)
		case may && from != "" && !from.Known():
			t.Fatalf("%q, which is no state, may become %q", from, to)
		case from.Settled() && may != (from == to):
			t.Fatalf("settled %q may become %q: %v", from, to, may)
		}
	})
}

func TestEveryOpenStateCanBeCancelledAndCanSettle(t *testing.T) {
	for _, s := range append([]deferred.State{""}, deferred.States...) {
		if s.Settled() {
			continue
		}
		if !s.MayBecome(deferred.Cancelled) {
			t.Errorf("%q cannot be cancelled", s)
		}
		for _, end := range settledStates() {
			if !s.MayBecome(end) {
				t.Errorf("%q cannot end as %q", s, end)
			}
		}
	}
}

func TestOnlyTheFourFinalStatesAreSettled(t *testing.T) {
	for _, s := range deferred.States {
		final := s == deferred.Succeeded || s == deferred.Failed || s == deferred.Cancelled || s == deferred.Expired
		if s.Settled() != final {
			t.Errorf("%q.Settled() = %v", s, s.Settled())
		}
		if !s.Known() {
			t.Errorf("%q is listed and not known", s)
		}
	}
	if deferred.State("").Known() || deferred.State("done").Known() {
		t.Error("a state is known that is none")
	}
}

func TestEveryOutcomeIsOnOneOfTheTwoBranches(t *testing.T) {
	for _, s := range deferred.States {
		success, failure := deferred.OnSuccess.Takes(s), deferred.OnFailure.Takes(s)
		if success != (s == deferred.Succeeded) {
			t.Errorf("success takes %q: %v", s, success)
		}
		if failure != (s.Settled() && s != deferred.Succeeded) {
			t.Errorf("failure takes %q: %v", s, failure)
		}
		if both := deferred.OnBoth.Takes(s); both != (success || failure) {
			t.Errorf("both takes %q: %v", s, both)
		}
	}
}
