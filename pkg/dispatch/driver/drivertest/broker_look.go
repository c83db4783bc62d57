package drivertest

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

var lookTests = []brokerTest{
	{"an id is found wherever a call of it stands", findsEverywhere},
	{"what is held is found and pending", findsHeld},
	{"what was found cannot be settled", settlesNothingFound},
	{"pending messages come in pages, oldest first", pagesPending},
	{"pending messages are chosen by queue and name", filtersPending},
	{"a command carries its verb and its id", deliversCommands},
	{"what was put aside can be seen", keepsAside},
}

// pending gives the ids of a page's messages.
func (b bench) pending(p driver.Page) []string {
	b.t.Helper()
	var ids []string
	for _, d := range b.page(p) {
		ids = append(ids, string(d.ID))
	}
	return ids
}

func (b bench) page(p driver.Page) []driver.Delivery {
	b.t.Helper()
	ctx, cancel := Patiently(b.t)
	defer cancel()
	var page []driver.Delivery
	for d, err := range b.Pending(ctx, p) {
		if err != nil {
			b.t.Fatalf("pending: %v", err)
		}
		page = append(page, d)
	}
	return page
}

func findsEverywhere(t *testing.T, b bench) {
	at := schedule("x", time.Hour)
	join := driver.Message{Route: driver.Commands, Verb: driver.VerbJoin, ID: "x", Header: map[string]string{"Zasync-Name": "n"}, Body: []byte("[]")}
	other := driver.Message{Route: driver.Commands, Verb: "cancel", ID: "x"}
	b.put(call(greet, "x"), call(later, "x"), at, schedule("y", -time.Hour), call(greet, "z"), join, other)
	found := map[driver.Route]driver.Delivery{}
	for _, d := range b.find("x") {
		found[d.Route] = d
	}
	if routes := slices.Sorted(maps.Keys(found)); !slices.Equal(routes, []driver.Route{driver.Delay, driver.Commands, driver.Later, driver.Ready}) {
		t.Fatalf("found on the routes %q", routes)
	}
	carries(t, found[driver.Commands], join)
	carries(t, found[driver.Ready], call(greet, "x"))
	carries(t, found[driver.Later], call(later, "x"))
	carries(t, found[driver.Delay], at)
	if got := found[driver.Delay].At; !got.Equal(at.At) {
		t.Fatalf("schedule fires at %v, want %v", got, at.At)
	}
	Eventually(t, "the due message is found", func() bool {
		f := b.find("y")
		return len(f) == 1 && f[0].Route == driver.Due
	})
	for _, nobody := range []deferred.ID{"nobody", "12", "99999999999999999999999"} {
		if f := b.find(nobody); len(f) > 0 {
			t.Fatalf("%q is found: %+v", nobody, f)
		}
	}
}

func findsHeld(t *testing.T, b bench) {
	b.put(call(greet, "a"))
	sub := b.subscribe(1, greet)
	d := sub.take()
	if found := b.find("a"); len(found) != 1 || found[0].Seq != d.Seq {
		t.Fatalf("what is held is found as %+v", found)
	}
	if diff := cmp.Diff([]string{"a"}, b.pending(driver.Page{Route: driver.Ready})); diff != "" {
		t.Fatalf("pending (-want +got):\n%s", diff)
	}
}

func settlesNothingFound(t *testing.T, b bench) {
	b.put(call(greet, "a"))
	for _, d := range append(b.find("a"), b.page(driver.Page{Route: driver.Ready})...) {
		_ = b.Settle(t.Context(), []driver.Settlement{{Delivery: d, Verdict: driver.Done}})
	}
	carries(t, b.subscribe(1, greet).take(), call(greet, "a"))
}

func pagesPending(t *testing.T, b bench) {
	b.numbered(greet, 1000)
	b.put(call(later, "elsewhere"))
	seen, after, last := 0, uint64(0), uint64(0)
	for {
		page := b.page(driver.Page{Route: driver.Ready, After: after, Limit: 300})
		if len(page) == 0 {
			break
		}
		if seen++; seen > 4 || len(page) > 300 {
			t.Fatalf("page %d has %d messages", seen, len(page))
		}
		for _, d := range page {
			if d.Seq <= last {
				t.Fatalf("sequence %d follows %d", d.Seq, last)
			}
			last = d.Seq
		}
		after = last
	}
	if all := b.pending(driver.Page{Route: driver.Ready}); seen != 4 || len(all) != 1000 {
		t.Fatalf("%d pages and %d messages, want 4 and 1000", seen, len(all))
	}
	for d, err := range b.Pending(t.Context(), driver.Page{Route: driver.Ready, After: last - 1}) {
		if err != nil || d.Seq != last {
			t.Fatalf("after all but one there is %d, %v, want %d", d.Seq, err, last)
		}
		break
	}
}

func filtersPending(t *testing.T, b bench) {
	for _, route := range []driver.Route{driver.Ready, driver.Later, driver.Delay} {
		put := func(queue, name string, id deferred.ID) {
			b.put(driver.Message{Route: route, Queue: queue, Name: name, ID: id, Body: []byte(id), At: time.Now().Add(time.Hour)})
		}
		put("one", "a/x", "1")
		put("two", "a/x", "2")
		put("one", "b", "3")
		put("one", "a/x", "4")
		for want, p := range map[*[]string]driver.Page{
			{"1", "2", "3", "4"}: {},
			{"1", "3", "4"}:      {Queue: "one"},
			{"1", "2", "4"}:      {Name: "a/x"},
			{"1", "4"}:           {Queue: "one", Name: "a/x"},
			{"1", "3"}:           {Queue: "one", Limit: 2},
			{}:                   {Queue: "three"},
		} {
			p.Route = route
			if got := b.pending(p); !slices.Equal(*want, got) {
				t.Errorf("pending %+v gives %v, want %v", p, got, *want)
			}
		}
	}
}

func deliversCommands(t *testing.T, b bench) {
	first := driver.Message{Route: driver.Commands, Verb: "cancel", ID: "a", Header: map[string]string{"Zasync-Note": "kept"}, Body: []byte(`{"reason":"r"}`)}
	second := driver.Message{Route: driver.Commands, Verb: "hold", ID: "a"}
	b.put(first, first, second)
	sub := b.subscribe(1, commands)
	carries(t, sub.finish(), first)
	carries(t, sub.finish(), first)
	if found := b.find("a"); len(found) > 0 {
		t.Fatalf("a command is found as a call: %+v", found)
	}
	pending := b.page(driver.Page{Route: driver.Commands})
	carries(t, pending[len(pending)-1], second)
	carries(t, sub.finish(), second)
}

func keepsAside(t *testing.T, b bench) {
	put := []driver.Message{
		{Route: driver.Aside, Verb: "malformed", Header: map[string]string{"Zasync-Labels": "{"}, Body: []byte("one")},
		{Route: driver.Aside, Verb: "conflict", ID: "a", Body: []byte("two")},
	}
	b.put(put...)
	page := b.page(driver.Page{Route: driver.Aside})
	if len(page) != 2 {
		t.Fatalf("two messages are aside, %d are seen", len(page))
	}
	for i, d := range page {
		if d.Route != driver.Aside || d.Verb != put[i].Verb || !cmp.Equal(d.Body, put[i].Body) || d.ID == "" {
			t.Errorf("aside is %+v, want %+v", d, put[i])
		}
		for k, v := range put[i].Header {
			if d.Header[k] != v {
				t.Errorf("header %s is %q, want %q", k, d.Header[k], v)
			}
		}
	}
	rest := b.page(driver.Page{Route: driver.Aside, After: page[0].Seq})
	if len(rest) != 1 || rest[0].Verb != "conflict" {
		t.Fatalf("after the first one there is %+v", rest)
	}
}
