package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"zasync/cmd/internal/cmdline"
	"zasync/cmd/internal/connect"
	"zasync/pkg/deferred"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/urfave/cli/v2"
)

var now = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// read gives what a command makes of its flags, without performing it.
func read[O any](t *testing.T, c *cli.Command, f func(*cli.Context) (O, error), args ...string) (O, error) {
	t.Helper()
	var o O
	var err error
	c.Action = func(c *cli.Context) error {
		o, err = f(c)
		return nil
	}
	app := &cli.App{Name: "zsubmit", Commands: []*cli.Command{c}, Writer: io.Discard, ErrWriter: io.Discard}
	if code := cmdline.Run(t.Context(), app, append([]string{c.Name}, args...)); code != cmdline.Done {
		t.Fatalf("%q cannot be parsed", args)
	}
	return o, err
}

func readCallFlags(t *testing.T, args ...string) (callOptions, error) {
	t.Helper()
	s := streams{in: strings.NewReader(`"stdin"`)}
	return read(t, callCommand(s), func(c *cli.Context) (callOptions, error) { return readCall(c, s, now) }, args...)
}

func TestFlagsOfCallBecomeItsTerms(t *testing.T) {
	for _, c := range []struct {
		line string
		want deferred.Call
	}{
		{"add", deferred.Call{Name: "add", Queue: "default"}},
		{"add [1] --queue low --id x", deferred.Call{Name: "add", Queue: "low", ID: "x", Args: deferred.JSON([]byte("[1]"))}},
		{"add -", deferred.Call{Name: "add", Queue: "default", Args: deferred.JSON([]byte(`"stdin"`))}},
		{"add --in 5s", deferred.Call{Name: "add", Queue: "default", Delay: 5 * time.Second}},
		{"add --at 11:30", deferred.Call{Name: "add", Queue: "default", NotBefore: now.Add(23*time.Hour + 30*time.Minute)}},
		{"add --begin-by 10m", deferred.Call{Name: "add", Queue: "default", BeginBy: now.Add(10 * time.Minute)}},
		{"add --retries 0", deferred.Call{Name: "add", Queue: "default", Retries: deferred.NoRetries}},
		{"add --retries 3", deferred.Call{Name: "add", Queue: "default", Retries: 3}},
		{"add --label a=b=c --label d=", deferred.Call{Name: "add", Queue: "default", Labels: map[string]string{"a": "b=c", "d": ""}}},
		{"add --after p --on failure --kind timeout --kind a,b", deferred.Call{Name: "add", Queue: "default", After: &deferred.After{
			Parent: "p", On: deferred.OnFailure, Kinds: []string{"timeout", "a,b"},
		}}},
		{"add --after p --on skipped --kind odd", deferred.Call{Name: "add", Queue: "default", After: &deferred.After{
			Parent: "p", On: deferred.OnSkipped, Kinds: []string{"odd"},
		}}},
		{"add --catch c:timeout,odd --catch d", deferred.Call{Name: "add", Queue: "default", Callbacks: []deferred.Callback{
			{On: deferred.OnFailure, Kinds: []string{"timeout", "odd"}, Call: deferred.Call{Name: "c", Queue: "default"}},
			{On: deferred.OnFailure, Call: deferred.Call{Name: "d", Queue: "default"}},
		}}},
		{"add --queue low --then t --catch c --then u", deferred.Call{Name: "add", Queue: "low", Callbacks: []deferred.Callback{
			{On: deferred.OnSuccess, Call: deferred.Call{Name: "t", Queue: "low"}},
			{On: deferred.OnSuccess, Call: deferred.Call{Name: "u", Queue: "low"}},
			{On: deferred.OnFailure, Call: deferred.Call{Name: "c", Queue: "low"}},
		}}},
	} {
		o, err := readCallFlags(t, strings.Fields(c.line)...)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		}
		if diff := cmp.Diff(c.want, o.call, cmpopts.IgnoreUnexported(deferred.Content{})); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.line, diff)
		}
	}
}

func TestConnectionFlagsStandBesideEnvironment(t *testing.T) {
	t.Setenv("NATS_URL", "nats://env")
	t.Setenv("ZASYNC_NAMESPACE", "env")
	o, err := readCallFlags(t, "add")
	if want := (connect.Options{Server: "nats://env", Namespace: "env"}); err != nil || o.connect != want {
		t.Errorf("got %+v, %v", o.connect, err)
	}
	o, err = readCallFlags(t, "add", "--server", "nats://flag", "--namespace", "flag", "--creds", "c", "--nkey", "n",
		"--user", "u", "--password", "p", "--token", "t", "--tlscert", "1", "--tlskey", "2", "--tlsca", "3")
	want := connect.Options{
		Server: "nats://flag", Namespace: "flag", Creds: "c", NKey: "n", User: "u", Password: "p", Token: "t",
		TLSCert: "1", TLSKey: "2", TLSCA: "3",
	}
	if err != nil || o.connect != want {
		t.Errorf("got %+v, %v", o.connect, err)
	}
}

func TestTooLargeArgumentsAreRefusedUnread(t *testing.T) {
	s := streams{in: io.MultiReader(strings.NewReader(`"`), strings.NewReader(strings.Repeat("x", 1<<20)), unread{t})}
	_, err := readJSON("arguments are", "-", s.in)
	if cmdline.Code(err) != cmdline.Usage {
		t.Errorf("got %v", err)
	}
}

type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("all of it was read")
	return 0, io.EOF
}

func TestTimeIsReadInManyForms(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	for text, want := range map[string]time.Time{
		"2026-03-04T05:06:07Z":      time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		"2026-03-04T05:06:07+02:00": time.Date(2026, 3, 4, 3, 6, 7, 0, time.UTC),
		"2026-03-04 05:06":          time.Date(2026, 3, 4, 5, 6, 0, 0, berlin),
		"2026-03-04":                time.Date(2026, 3, 4, 0, 0, 0, 0, berlin),
		"13:30":                     time.Date(2026, 1, 2, 13, 30, 0, 0, berlin),
		"12:59:59":                  time.Date(2026, 1, 3, 12, 59, 59, 0, berlin),
		"90m":                       now.Add(90 * time.Minute),
	} {
		got, err := readTime("at", text, now.In(berlin))
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]time.Time{
		"2026-03-04T05:06:07Z": time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		"13:30":                time.Date(2026, 1, 1, 13, 30, 0, 0, berlin),
		"13:00":                time.Date(2026, 1, 2, 13, 0, 0, 0, berlin),
		"12:59:59":             time.Date(2026, 1, 2, 12, 59, 59, 0, berlin),
		"90m":                  now.Add(-90 * time.Minute),
	} {
		got, err := readPast("since", text, now.In(berlin))
		if err != nil || !got.Equal(want) {
			t.Errorf("%s, in the past: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "25:00", "-5m", "tomorrow"} {
		if got, err := readTime("at", text, now); cmdline.Code(err) != cmdline.Usage {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
}

// Every flag that several commands have takes a value in all of them or in
// none, since flags may stand before the command is known.
func TestFlagsOfOneNameAreOfOneKind(t *testing.T) {
	takes := map[string]bool{}
	for _, c := range app(streams{}).Commands {
		for _, f := range c.Flags {
			for _, name := range f.Names() {
				value := f.(cli.DocGenerationFlag).TakesValue()
				if before, ok := takes[name]; ok && before != value {
					t.Errorf("--%s of %s is of another kind than elsewhere", name, c.Name)
				}
				takes[name] = value
			}
		}
	}
}

func TestCommandNeedsNoServerToRefuse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stderr strings.Builder
	code := run(ctx, []string{"call", "demo/echo", "world", "--server", "nats://127.0.0.1:1"}, strings.NewReader(""), io.Discard, &stderr)
	if code != cmdline.Usage || !strings.Contains(stderr.String(), "not valid JSON") {
		t.Errorf("code %d, %s", code, stderr.String())
	}
}
