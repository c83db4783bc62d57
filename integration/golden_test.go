package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zasync/integration/internal/plainclient"
	"zasync/pkg/deferred"
)

// The golden messages, published by a client that has nothing of ours, do on a
// real server what the page says of them.

const goldenMessages = "../pkg/dispatch/testdata/golden"

// goldenMessage is a file, whose subject has no namespace.
type goldenMessage struct {
	Subject string            `json:"subject"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Binary  []byte            `json:"body_base64"`
}

// An act is messages that are published one after the other, and how the
// deferreds stand then.
type act struct {
	send []string
	ends map[string]end
}

// An end is a state, what is in the record of it as JSON, and what else must
// hold.
type end struct {
	state  string
	result string
	also   func(r *deferred.Record) bool
}

func failure(kind, message string) func(*deferred.Record) bool {
	return func(r *deferred.Record) bool {
		return r.Failure != nil && r.Failure.Kind == kind && r.Failure.Message == message
	}
}

func settledBy(who string) func(*deferred.Record) bool {
	return func(r *deferred.Record) bool { return r.SettledBy == who }
}

func skipped(r *deferred.Record) bool { return r.Skipped && r.Attempt == 0 }

// hour is whether that hour of the day on which the files were made has passed.
// What a term comes to depends on it.
func hour(h int, passed, before string) string {
	if time.Now().After(time.Date(2026, 11, 23, h, 0, 0, 0, time.UTC)) {
		return passed
	}
	return before
}

// on is messages after which one deferred stands so.
func on(id, state, result string, also func(*deferred.Record) bool, send ...string) []act {
	return []act{{send, map[string]end{id: {state, result, also}}}}
}

var world = `"world"`

var goldenStories = map[string][]act{
	"call-json":         on("a", "succeeded", world, nil, "call-json"),
	"call-msgpack":      on("a", "succeeded", `"pXdvcmxk"`, nil, "call-msgpack"),
	"call-bytes":        on("a", "succeeded", `"AP8="`, nil, "call-bytes"),
	"call-empty-bytes":  on("a", "succeeded", `""`, nil, "call-empty-bytes"),
	"call-other-type":   on("a", "succeeded", `"iVBORw=="`, nil, "call-other-type"),
	"call-no-arguments": on("a", "succeeded", "", nil, "call-no-arguments"),
	"call-bare-json":    on("a", "succeeded", `[1,2]`, nil, "call-bare-json"),
	"call-bare-text":    on("a", "succeeded", `"d29ybGQ="`, nil, "call-bare-text"),
	"call-charset":      on("a", "succeeded", world, nil, "call-charset"),
	"call-numbered":     on("1", "succeeded", world, nil, "call-numbered"),
	"call-no-retries":   on("a", "succeeded", world, func(r *deferred.Record) bool { return r.Retries == 0 }, "call-no-retries"),
	"call-other-headers": on("a", "succeeded", world, func(r *deferred.Record) bool { return r.Retries == 10 },
		"call-other-headers"),
	"call-timeout-keep": on("a", "succeeded", world, func(r *deferred.Record) bool {
		return r.Timeout == 1500*time.Millisecond && r.Keep == 48*time.Hour
	}, "call-timeout-keep"),
	"call-callback-terms":  on("a", "succeeded", world, nil, "call-callback-terms"),
	"call-callbacks-kinds": {{[]string{"call-callbacks-kinds"}, map[string]end{"a": {"succeeded", world, nil}, childID("a", 1): {"succeeded", world, skipped}}}},

	"call-delay": on("a", "scheduled", "", func(r *deferred.Record) bool {
		return r.NotBefore.Equal(r.Submitted.Add(90 * time.Minute))
	}, "call-delay"),
	"call-delay-longer": on("a", "scheduled", "", func(r *deferred.Record) bool { return !r.NotBefore.Before(r.Submitted.Add(time.Hour)) }, "call-delay-longer"),
	"call-time-longer":  on("a", "scheduled", "", func(r *deferred.Record) bool { return !r.NotBefore.Before(r.Submitted.Add(time.Minute)) }, "call-time-longer"),
	"call-time-zone":    on("a", hour(13, "succeeded", "scheduled"), hour(13, world, ""), nil, "call-time-zone"),
	"call-all-terms": on("Order_7-x", hour(13, "expired", "scheduled"), "", func(r *deferred.Record) bool {
		return r.Queue == "low/er-2_b" && r.Retries == 3 && r.Labels["team/a"] == "<ö>"
	}, "call-all-terms"),
	"call-ascii":    on("Order_7-x", hour(13, "expired", "scheduled"), "", func(r *deferred.Record) bool { return r.Labels["team/a"] == "<ö>" }, "call-ascii"),
	"call-deadline": on("a", hour(13, "expired", "succeeded"), hour(13, "", world), nil, "call-deadline"),

	"call-after":         on("a", "succeeded", world, nil, "call-after", "promise", "command-reject"),
	"call-after-either":  on("a", "succeeded", world, nil, "call-after-either", "promise", "command-resolve"),
	"call-after-kinds":   on("a", "succeeded", world, nil, "call-after-kinds", "promise", "command-reject"),
	"call-after-skipped": on("a", "failed", "", skipped, "call-after-skipped", "promise", "command-reject"),

	"join-all":         on("j", "succeeded", `["world",{"approved":true}]`, nil, "call-json", "promise", "join-all", "command-resolve"),
	"join-bare":        on("j", "succeeded", `["world",{"approved":true}]`, nil, "command-resolve", "join-bare", "promise", "call-json"),
	"join-all-settled": on("j", "succeeded", `[{"id":"a","state":"succeeded","result":"world"},{"id":"p","state":"failed","failure":{"kind":"refused","message":"too dear"}}]`, nil, "join-all-settled", "call-json", "promise", "command-reject"),
	"join-any":         on("j", "succeeded", world, func(r *deferred.Record) bool { return r.Waits.Winner == "a" }, "promise", "join-any", "call-json"),
	"join-race":        on("j", "failed", "", failure("refused", "too dear"), "promise", "join-race", "command-reject"),
	"join-of-none":     on("j", "succeeded", `[]`, nil, "join-of-none"),
	"join-all-terms":   on("j", "failed", "", func(r *deferred.Record) bool { return r.Failure.Kind == deferred.KindMalformed }, "join-all-terms"),
	"join-cancel-rest": {
		{[]string{"promise", "call-json"}, map[string]end{"p": {"waiting", "", nil}, "a": {"succeeded", world, nil}}},
		{[]string{"join-cancel-rest"}, map[string]end{
			"j": {hour(13, "expired", "succeeded"), hour(13, "", world), func(r *deferred.Record) bool { return r.Name == "first/of-two" && r.Queue == "low" }},
			"p": {"cancelled", "", nil},
		}},
	},

	"promise":                 {{[]string{"promise"}, map[string]end{"p": {"waiting", "", nil}}}},
	"promise-terms":           on("p", hour(13, "expired", "waiting"), "", func(r *deferred.Record) bool { return r.Labels["k"] == "v" }, "promise-terms"),
	"command-resolve":         on("p", "succeeded", `{"approved":true}`, settledBy("alice"), "promise", "command-resolve"),
	"command-resolve-bytes":   on("p", "succeeded", `"iVBORw=="`, func(r *deferred.Record) bool { return r.Result.Type == "image/png" }, "command-resolve-bytes", "promise"),
	"command-resolve-nothing": on("p", "succeeded", "", nil, "promise", "command-resolve-nothing"),
	"command-resolve-wrong":   on("p", "waiting", "", nil, "promise", "command-resolve-wrong"),
	"command-reject":          on("p", "failed", "", settledBy("bob"), "promise", "command-reject"),
	"command-reject-bare":     on("p", "failed", "", failure("rejected", "too dear"), "promise", "command-reject-bare"),
	"command-handle": {
		{[]string{"promise", "command-reject"}, map[string]end{"p": {"failed", "", func(r *deferred.Record) bool { return r.Unhandled() }}}},
		{[]string{"command-handle"}, map[string]end{"p": {"failed", "", func(r *deferred.Record) bool { return r.Handled }}}},
	},
	"command-add": {
		{[]string{"promise", "join-all"}, map[string]end{"j": {"waiting", "", func(r *deferred.Record) bool { return len(r.Waits.On) == 2 }}}},
		{[]string{"command-add"}, map[string]end{"j": {"waiting", "", func(r *deferred.Record) bool {
			return slices.Equal(r.Waits.On, []deferred.ID{"a", "p", "b", "c"})
		}}}},
	},
	"command-cancel":       on("a", "cancelled", "", failure("cancelled", "no longer needed"), "call-delay", "command-cancel"),
	"command-cancel-by":    on("a", "cancelled", "", settledBy("alice"), "call-delay", "command-cancel-by"),
	"command-cancel-text":  on("a", "cancelled", "", failure("cancelled", "no longer needed"), "call-delay", "command-cancel-text"),
	"command-cancel-empty": on("a", "cancelled", "", failure("cancelled", "cancelled by a command"), "command-cancel-empty", "call-delay"),
	"command-hold":         on("a", "held", "", func(r *deferred.Record) bool { return r.Obeyed > 0 }, "call-delay", "command-hold"),
	"command-release": {
		{[]string{"command-hold"}, map[string]end{"a": {"held", "", nil}}},
		{[]string{"call-json", "command-release"}, map[string]end{"a": {"succeeded", world, nil}}},
	},

	// What workers put for one another harms nothing when others do.
	"wake":                   on("j", "waiting", "", nil, "promise", "join-all", "wake"),
	"wake-revision":          on("j", "waiting", "", nil, "promise", "join-all", "wake-revision"),
	"alarm-moved":            on("j", "waiting", "", nil, "promise", "join-all", "alarm-moved"),
	"expire":                 on("a", "scheduled", "", nil, "call-delay", "expire"),
	"expire-revision":        on("a", "scheduled", "", nil, "call-delay", "expire-revision"),
	"parked-moved":           on("a", "succeeded", world, nil, "parked-moved"),
	"fired-success":          on(childID("parent", 0), "waiting", "", nil, "fired-success"),
	"fired-branch-not-taken": on(childID("parent", 1), "waiting", "", nil, "fired-branch-not-taken"),
	"fired-delayed":          on(childID("parent", 2), "waiting", "", nil, "fired-delayed"),
	"fired-kinds":            on(childID("parent", 0), "waiting", "", nil, "fired-kinds"),
	"forwarded":              on("a", hour(13, "expired", "succeeded"), hour(13, "", world), nil, "promise", "command-reject", "forwarded"),
}

func TestGoldenMessagesDoWhatTheySay(t *testing.T) {
	for name, acts := range goldenStories {
		t.Run(name, func(t *testing.T) {
			s := newPlainSite(t)
			mux := echo()
			for _, name := range []string{"demo/greet", "store", "mail"} {
				mux.Handle(name, func(_ context.Context, in deferred.Content) (deferred.Content, error) { return in, nil })
			}
			s.work(mux)
			s.joined()
			for _, a := range acts {
				var last string
				for _, name := range a.send {
					last = s.publishGolden(name)
				}
				for id, e := range a.ends {
					if id == "1" {
						id = last
					}
					s.becomes(id, e)
				}
			}
		})
	}
}

// What stands in the buckets is read from there, whoever wrote it.
func TestGoldenEntriesAreReadFromTheirBuckets(t *testing.T) {
	s := newPlainSite(t)
	s.publishGolden("call-delay")
	for _, name := range []string{"note", "note-progress", "heartbeat", "heartbeat-hung", "heartbeat-unhealthy", "unhandled"} {
		g := readGolden(t, name)
		bucket, key, _ := strings.Cut(g.Subject, ".")
		if _, err := s.Submit(s.ctx, plainclient.Message("$KV.ZASYNC_"+strings.ToUpper(bucket)+"."+key, g.Body)); err != nil {
			t.Fatal(err)
		}
	}
	notes := map[string]string{}
	for n, err := range s.queue.Annotations(s.ctx, "a") {
		if err != nil {
			t.Fatal(err)
		}
		notes[n.Key] = fmt.Sprintf("%s by %q in attempt %d", n.Value, n.Worker, n.Attempt)
	}
	want := map[string]string{"checkpoint": `{"page":7} by "" in attempt 0`, "progress": `{"done":3,"total":10,"message":"files"} by "w1" in attempt 2`}
	if !maps.Equal(notes, want) {
		t.Errorf("the annotations are %v", notes)
	}
	if workers, err := s.queue.Workers(s.ctx); err != nil || len(workers) != 1 || workers[0].Incarnation != "I" || workers[0].Slots != 10 {
		t.Errorf("the workers are %+v, %v", workers, err)
	}
	for r, err := range s.queue.Unhandled(s.ctx) {
		t.Errorf("%+v, %v is listed: an entry without its record means nothing", r, err)
	}
}

// Every golden message that a client may send, or that may reach the queue from
// anywhere, has a story.
func TestEveryGoldenMessageHasAStory(t *testing.T) {
	files, err := filepath.Glob(goldenMessages + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		route, _, _ := strings.Cut(readGolden(t, name).Subject, ".")
		if _, ok := goldenStories[name]; !ok && slices.Contains([]string{"q", "later", "do"}, route) {
			t.Errorf("%s is published in no story", name)
		}
	}
}

func readGolden(t *testing.T, name string) goldenMessage {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(goldenMessages, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var g goldenMessage
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// publishGolden publishes a file as it is, and gives the number of the message.
func (s *plainSite) publishGolden(name string) string {
	s.t.Helper()
	g := readGolden(s.t, name)
	m := plainclient.Message("zasync."+g.Subject, g.Body)
	for key, value := range g.Headers {
		m.Header.Set(key, value)
	}
	if g.Binary != nil {
		m.Data = g.Binary
	}
	seq, err := s.Submit(s.ctx, m)
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(seq)
}

// joined waits until there is a worker.
func (s *plainSite) joined() {
	s.t.Helper()
	for s.ctx.Err() == nil {
		if workers, err := s.queue.Workers(s.ctx); err == nil && len(workers) > 0 {
			return
		}
	}
	s.t.Fatal("no worker has joined")
}

// becomes waits until the deferred stands as it is to.
func (s *plainSite) becomes(id string, e end) {
	s.t.Helper()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	var data []byte
	for ; s.ctx.Err() == nil; <-tick.C {
		var r deferred.Record
		var fields struct{ Result json.RawMessage }
		if data = s.shown(id); len(data) == 0 {
			continue
		}
		if err := errors.Join(json.Unmarshal(data, &r), json.Unmarshal(data, &fields)); err != nil {
			s.t.Fatal(err)
		}
		if string(r.State) == e.state && string(fields.Result) == e.result && (e.also == nil || e.also(&r)) {
			return
		}
	}
	s.t.Errorf("%s is %s, want %s with %s", id, data, e.state, e.result)
}

// shown is the record as any client reads it, or what stands for it while it is
// parked; nil while there is neither.
func (s *plainSite) shown(id string) []byte {
	s.t.Helper()
	m, err := s.Conn.RequestWithContext(s.ctx, "$JS.API.DIRECT.GET.KV_ZASYNC_STATE.$KV.ZASYNC_STATE."+id, nil)
	if err == nil && m.Header.Get("Status") == "" {
		return m.Data
	}
	parked, err := s.Stored(s.ctx, "ZASYNC_DELAY", "zasync.at."+id)
	if err != nil {
		return nil
	}
	r, err := s.queue.Record(s.ctx, deferred.ID(id))
	if err != nil || parked.Header.Get("Zasync-Due") == "" {
		return nil
	}
	data, err := r.AppendJSON(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return data
}
