package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zasync/integration/internal/plainclient"
	"zasync/integration/internal/proc"
)

func TestDevPerformsWhatZsubmitSubmits(t *testing.T) {
	f := newDevFleet(t)
	p, code := f.zsubmit("call", "demo/add", "[1,2,3]", "--wait")
	if code != 0 || p.Out.String() != "6\n" {
		t.Errorf("exit code %d, printed %q", code, p.Out.String())
	}
	p, code = f.zsubmit("call", "demo/fail", `{"times":9}`, "--retries", "1", "--wait")
	if code != 3 || p.Out.String() != "" || !strings.Contains(p.Err.String(), "failed on purpose (2 of 9)") {
		t.Errorf("exit code %d, printed %q and %q", code, p.Out.String(), p.Err.String())
	}
	f.conclude()
}

// shown is what a script reads of zsubmit status -o json.
type shown struct {
	ID      string
	State   string
	Attempt int
	Result  json.RawMessage
}

func TestDevPerformsWhatAnyClientPublishes(t *testing.T) {
	f := newDevFleet(t)
	plain := plainclient.Client{Conn: f.nc}
	for _, c := range []struct{ subject, id string }{
		{"zasync.q.default.demo/echo", ""},
		{"zasync.q.default.demo/echo.my-id-1", "my-id-1"},
	} {
		seq, err := plain.Submit(f.ctx, plainclient.Message(c.subject, `{"a":[1,2]}`))
		if err != nil {
			t.Fatal(err)
		}
		if c.id == "" {
			c.id = strconv.FormatUint(seq, 10)
		}
		if p, code := f.zsubmit("wait", c.id); code != 0 || p.Out.String() != `{"a":[1,2]}`+"\n" {
			t.Errorf("%s: exit code %d, printed %q", c.subject, code, p.Out.String())
		}
		p, code := f.zsubmit("status", c.id, "-o", "jsonl")
		var got shown
		if err := json.Unmarshal([]byte(p.Out.String()), &got); err != nil || code != 0 {
			t.Errorf("%s: exit code %d, printed %q: %v", c.subject, code, p.Out.String(), err)
		}
		want := shown{ID: c.id, State: "succeeded", Attempt: 1, Result: json.RawMessage(`{"a":[1,2]}`)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: status (-want +got):\n%s", c.subject, diff)
		}
	}
	f.conclude()
}

func TestDemoShowsAWholeStory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	small, large := filepath.Join(dir, "small.txt"), filepath.Join(dir, "large.bin")
	for _, name := range []string{small, large} {
		if err := os.WriteFile(name, []byte("two words\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(large, 200_000_000); err != nil { // it takes a while to count, and no room
		t.Fatal(err)
	}
	p := proc.Start(t, program(t, "zworker", "demo", dir))
	if exit := p.Wait(t.Context()); exit != (proc.Exit{}) {
		t.Errorf("ended with %+v", exit)
	}
	for what, pattern := range map[string]string{
		"progress":   `demo/scan +running +large\.bin \d+%`,
		"a retry":    `demo/fail +succeeded +succeeded after 1 failure`,
		"a callback": `demo/report +succeeded +the callback was told`,
		"an errback": `demo/apology +succeeded +the errback says sorry`,
		"a result":   `2 files: 2 lines, 5 words, 200\.0 MB`,
	} {
		if !regexp.MustCompile(pattern).MatchString(p.Out.String()) {
			t.Errorf("it does not show %s: nothing like %s in\n%s", what, pattern, p.Out.String())
		}
	}
}

func TestSecondDevOnAStoreOrAPortIsToldByWhom(t *testing.T) {
	f := newDevFleet(t)
	pid := strconv.Itoa(f.server.PID())
	for what, c := range map[string]struct{ addr, store, says string }{
		"store": {freeAddr(t), f.store, f.store + " is in use by process " + pid},
		"port":  {f.addr, t.TempDir(), f.addr + " is taken by zworker (process " + pid + "); choose another address"},
	} {
		second := proc.Start(t, program(t, "zworker", "dev", "--listen", c.addr, "--store", c.store))
		if exit := second.Wait(f.ctx); exit.Code != 1 || !strings.Contains(second.Err.String(), c.says) {
			t.Errorf("%s: ended with %+v, printed %q; want %q", what, exit, second.Err.String(), c.says)
		}
	}
	// The first one is none the worse for it.
	if p, code := f.zsubmit("call", "demo/add", "[1,2,3]", "--wait"); code != 0 {
		t.Errorf("exit code %d, printed %q", code, p.Err.String())
	}
}
