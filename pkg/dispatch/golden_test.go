package dispatch

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// The golden files are the wire as it was released. Messages of every one of
// them may lie in somebody's stream, or be sent by somebody's client: the files
// are added to, and never changed.

// golden is a message in a form that tests in any language can read. The
// subject is without the namespace.
type golden struct {
	About   string            `json:"about"`
	Subject string            `json:"subject"`
	Headers map[string]string `json:"headers,omitempty"`
	Body    string            `json:"body,omitempty"`
	Binary  []byte            `json:"body_base64,omitempty"` // instead of Body
	Fires   time.Time         `json:"fires,omitzero"`        // of a schedule
}

// goldenCalls says what the calls in the files mean: to be read so for ever.
// Of those that are marked, it is also what is written today.
var goldenCalls = map[string]struct {
	written bool
	call    deferred.Call
	sent    time.Time // if not at noon
	due     time.Time
}{
	"call-json":         {written: true, call: call("a", deferred.JSON([]byte(`"world"`)))},
	"call-msgpack":      {written: true, call: call("a", content(deferred.TypeMessagePack, "\xa5world"))},
	"call-bytes":        {written: true, call: call("a", content(deferred.TypeBytes, "\x00\xff"))},
	"call-empty-bytes":  {written: true, call: call("a", content(deferred.TypeBytes, ""))},
	"call-other-type":   {written: true, call: call("a", content("image/png", "\x89PNG"))},
	"call-no-arguments": {written: true, call: call("a", deferred.Content{})},
	"call-no-retries":   {written: true, call: with(func(c *deferred.Call) { c.Retries = deferred.NoRetries })},
	"call-after":        {written: true, call: with(func(c *deferred.Call) { c.After = &deferred.After{Parent: "p", On: deferred.OnFailure} })},
	"call-all-terms":    {call: allTerms()},
	"call-ascii":        {written: true, call: allTerms()},
	"call-delay":        {written: true, call: with(func(c *deferred.Call) { c.NotBefore = noon.Add(90 * time.Minute) })},
	"call-delay-longer": {call: with(func(c *deferred.Call) { c.NotBefore = noon.Add(time.Hour) })},
	"call-time-longer":  {call: with(func(c *deferred.Call) { c.NotBefore = noon.Add(time.Hour) })},

	"call-bare-json":      {call: call("a", deferred.JSON([]byte("[1, 2]")))},
	"call-bare-text":      {call: call("a", content(deferred.TypeBytes, "world"))},
	"call-numbered":       {call: call("1795442839409062", deferred.JSON([]byte(`"world"`)))},
	"call-charset":        {call: call("a", content("application/json; charset=utf-8", `"world"`))},
	"call-after-either":   {call: with(func(c *deferred.Call) { c.After = &deferred.After{Parent: "p", On: deferred.OnBoth} })},
	"call-time-zone":      {call: with(func(c *deferred.Call) { c.NotBefore = noon.Add(time.Hour) })},
	"call-other-headers":  {call: with(func(*deferred.Call) {})},
	"call-callback-terms": {call: with(func(c *deferred.Call) { c.Callbacks = foreignCallbacks() })},

	"call-after-kinds": {written: true, call: with(func(c *deferred.Call) {
		c.After = &deferred.After{Parent: "p", On: deferred.OnFailure, Kinds: []string{"refused", "too dear"}}
	})},
	"call-after-skipped": {written: true, call: with(func(c *deferred.Call) { c.After = &deferred.After{Parent: "p", On: deferred.OnSkipped} })},
	"call-deadline":      {written: true, call: with(func(c *deferred.Call) { c.Deadline = noon.Add(time.Hour) })},
	"call-timeout-keep": {written: true, call: with(func(c *deferred.Call) {
		c.Timeout, c.Keep = 1500*time.Millisecond, 48*time.Hour
	})},
	"call-callbacks-kinds": {written: true, call: with(func(c *deferred.Call) { c.Callbacks = laneCallbacks() })},

	"join-all":         {written: true, call: join(deferred.JoinAll, "a", "p")},
	"join-all-settled": {written: true, call: join(deferred.JoinAllSettled, "a", "p")},
	"join-any":         {written: true, call: join(deferred.JoinAny, "a", "p")},
	"join-race":        {written: true, call: join(deferred.JoinRace, "a", "p")},
	"join-of-none":     {written: true, call: join(deferred.JoinAll)},
	"join-cancel-rest": {written: true, call: joinWithTerms()},
	"join-bare":        {call: join(deferred.JoinAll, "a", "p")},
	"promise":          {written: true, call: promise()},
	"promise-terms":    {written: true, call: promiseWithTerms()},

	"parked":       {call: parkedCall(), sent: noon.Add(-time.Hour), due: noon.Add(time.Minute)},
	"parked-moved": {call: parkedCall(), sent: noon.Add(-time.Hour), due: noon.Add(time.Minute)},
}

func content(t, data string) deferred.Content { return deferred.Content{Type: t, Data: []byte(data)} }

func call(id deferred.ID, args deferred.Content) deferred.Call {
	return deferred.Call{Name: "demo/greet", Queue: "default", ID: id, Args: args}
}

func with(change func(*deferred.Call)) deferred.Call {
	c := call("a", deferred.JSON([]byte(`"world"`)))
	change(&c)
	return c
}

func allTerms() deferred.Call {
	c := with(func(c *deferred.Call) { c.Queue, c.ID = "low/er-2_b", "Order_7-x" })
	c.NotBefore, c.BeginBy = noon.Add(1500*time.Millisecond), noon.Add(time.Hour)
	c.Retries = 3
	c.Labels = map[string]string{"team/a": "<ö>"}
	c.Callbacks = []deferred.Callback{
		{On: deferred.OnSuccess, Call: deferred.Call{Name: "store", Callbacks: []deferred.Callback{
			{On: deferred.OnBoth, Call: deferred.Call{Name: "tidy", Queue: "low", Args: content(deferred.TypeMessagePack, "\x01"), Retries: deferred.NoRetries}},
		}}},
		{On: deferred.OnFailure, Call: deferred.Call{
			Name: "mail", Args: deferred.JSON([]byte(`{"to":"me"}`)), Labels: map[string]string{"k": "v"},
			Delay: time.Minute, NotBefore: noon, BeginBy: noon.Add(time.Hour), Retries: 5,
		}},
	}
	return c
}

func foreignCallbacks() []deferred.Callback {
	return []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "next", Args: deferred.JSON([]byte("null")), Retries: 1}}}
}

func laneCallbacks() []deferred.Callback {
	return []deferred.Callback{
		{On: deferred.OnSuccess, Call: deferred.Call{Name: "store", Callbacks: []deferred.Callback{
			{On: deferred.OnSkipped, Kinds: []string{"timeout"}, Call: deferred.Call{Name: "mend"}},
		}}},
		{On: deferred.OnFailure, Kinds: []string{"refused", "too dear"}, Call: deferred.Call{
			Name: "mail", Deadline: noon.Add(time.Hour), Timeout: time.Minute, Keep: 48 * time.Hour,
		}},
	}
}

func join(m deferred.JoinMode, members ...deferred.ID) deferred.Call {
	return deferred.Call{Name: string(m), Queue: "default", ID: "j", Join: &deferred.Join{Mode: m, Members: append([]deferred.ID{}, members...)}}
}

func joinWithTerms() deferred.Call {
	c := join(deferred.JoinAny, "a", "p")
	c.Name, c.Queue, c.Join.CancelRest = "first/of-two", "low", true
	c.Labels, c.Deadline, c.Keep = map[string]string{"k": "v"}, noon.Add(time.Hour), 48*time.Hour
	c.Callbacks = []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "next"}}}
	return c
}

// The secret of the promise in the files, and its digest.
const (
	goldenSecret = "KD6QPBZ2OFVJ7AXI5CWMEHRS3T"
	goldenDigest = "5d8723591151602db0a7016af1b0c3283b150c5d5b500c65eb33d8d194637f57"
)

func promise() deferred.Call {
	return deferred.Call{Name: "approval", Queue: "default", ID: "p", Promise: goldenDigest}
}

func promiseWithTerms() deferred.Call {
	c := promise()
	c.Labels, c.Deadline, c.Keep = map[string]string{"k": "v"}, noon.Add(time.Hour), 48*time.Hour
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Kinds: []string{deferred.KindExpired}, Call: deferred.Call{Name: "remind"}}}
	return c
}

func parkedCall() deferred.Call {
	return with(func(c *deferred.Call) {
		c.NotBefore, c.Retries, c.Labels = noon.Add(-30*time.Minute), 2, map[string]string{"a": "b"}
	})
}

func TestCallsOfEveryReleaseAreReadForEver(t *testing.T) {
	for name, want := range goldenCalls {
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, name)
			d := g.delivery()
			got, err := wire.Decode(&d)
			if err != nil {
				t.Fatal(err)
			}
			if want.sent.IsZero() {
				want.sent = noon
			}
			wanted := wire.Call{Call: want.call, Submitted: want.sent, Due: want.due}
			if diff := cmp.Diff(wanted, *got, cmp.AllowUnexported(wire.Call{}, deferred.Content{}, deferred.Join{})); diff != "" {
				t.Errorf("the message means something else now (-want +got):\n%s", diff)
			}
		})
	}
}

// The one file that means something else than it did: with the right to submit
// alone one could cancel the calls of others.
func TestJoinThatCancelsAndIsNoCommandIsMalformed(t *testing.T) {
	g := readGolden(t, "join-all-terms")
	d := g.delivery()
	if _, err := wire.Decode(&d); err == nil || !strings.Contains(err.Error(), "zasync.do.join.<id>") {
		t.Errorf("got %v, want an error that names the subject to use", err)
	}
}

func TestCallsAreWrittenAsReleased(t *testing.T) {
	for name, c := range goldenCalls {
		if !c.written {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if name == "call-delay" { // its time was counted from noon
				c.call.NotBefore, c.call.Delay = time.Time{}, 90*time.Minute
			}
			m, err := wire.Encode(&c.call, wire.RouteOf(&c.call))
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, name, m)
		})
	}
}

// The examples are those of PROTOCOL.md.
func TestIDsAndDigestsAreComputedAsReleased(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{string(deferred.ChildID("parent", 0)), "2a78881649b99d4e3fe4bea066c37e6b"},
		{string(deferred.ChildID("parent", 1)), "ae200c481ddac1dd296bbdf1363f8478"},
		{string(deferred.ChildID("1795442839409062", 0)), "9654524eb1793befa2d8806675f3e854"},
		{wire.Digest(&deferred.Call{Name: "demo/greet", Args: deferred.JSON([]byte(`"world"`))}), "0a0eb8582e6db921afb956c337919c71"},
		{wire.Digest(&deferred.Call{Name: "greet"}), "f8d7e0505f681cc9ab79e291d1733a22"},
		{wire.Digest(goldenCall("join-all")), "04bb2b552a9bfb9e4be921312210d5df"},
		{wire.Digest(goldenCall("promise")), "f6f52475bbce499d92d1bb551300e45a"},
		{wire.Digest(&deferred.Call{Name: "demo/greet", Args: content("text/json", "{ \"a\": 1 }"), After: &deferred.After{}}), "9b4a2ca1f00a83b3071aa99477047d4b"},
	} {
		if c.got != c.want {
			t.Errorf("%s is %s now", c.want, c.got)
		}
	}
}

func goldenCall(name string) *deferred.Call {
	c := goldenCalls[name].call
	return &c
}

func TestEveryGoldenFileIsTested(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		_, call := goldenCalls[name]
		_, command := goldenCommands[name]
		if !call && !command && !slices.Contains(goldenOthers, name) {
			t.Errorf("no test reads %s", f)
		}
	}
}

func readGolden(t *testing.T, name string) golden {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// delivery is the message as it comes from the server, which stored it at noon.
func (g *golden) delivery() driver.Delivery {
	tokens := strings.Split(g.Subject, ".")
	d := driver.Delivery{Seq: 1795442839409062, Time: noon, Deliveries: 1}
	d.Route, d.Header, d.Body = driver.Route(tokens[0]), g.Headers, []byte(g.Body)
	if g.Binary != nil {
		d.Body = g.Binary
	}
	if d.Route == driver.Delay {
		d.Queue, d.Name, d.ID = "default", "demo/greet", deferred.ID(tokens[1]) // of the schedule's target
		return d
	}
	if d.Route == driver.Commands {
		d.Verb, d.ID = tokens[1], deferred.ID(tokens[2])
		return d
	}
	d.Queue, d.Name, d.ID = tokens[1], tokens[2], deferred.ID(tokens[3])
	if d.ID == "-" {
		d.ID = "1795442839409062"
	}
	return d
}

func compareGolden(t *testing.T, name string, m driver.Message) {
	t.Helper()
	want := readGolden(t, name)
	body := []byte(want.Body)
	if want.Binary != nil {
		body = want.Binary
	}
	type sent struct {
		Subject string
		Headers map[string]string
		Body    string
		Fires   time.Time
	}
	got := sent{subjectOf(m), maps.Clone(m.Header), string(m.Body), m.At}
	if len(got.Headers) == 0 {
		got.Headers = nil
	}
	if diff := cmp.Diff(sent{want.Subject, want.Headers, string(body), want.Fires}, got); diff != "" {
		t.Errorf("%s is written in another way now (-released +now):\n%s", name, diff)
	}
}

func subjectOf(m driver.Message) string {
	switch m.Route {
	case driver.Delay:
		return string(m.Route) + "." + string(m.ID)
	case driver.Aside:
		return string(m.Route) + "." + m.Verb
	}
	return wire.Origin(&m)
}
