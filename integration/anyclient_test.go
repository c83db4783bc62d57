package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"

	"zasync/integration/internal/plainclient"
	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

func TestPlainProgramsImportNothingOfOurs(t *testing.T) {
	files, err := filepath.Glob("internal/plain*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			path, _ := strconv.Unquote(i.Path.Value)
			if first, _, _ := strings.Cut(path, "/"); path != "github.com/nats-io/nats.go" && path != "github.com/nats-io/nats.go/jetstream" && (first == module || strings.Contains(first, ".")) {
				t.Errorf("%s imports %s", file, path)
			}
		}
	}
}

func TestRawPublishIsACompleteCall(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	id := s.submit("zasync.q.default.demo/echo", `"world"`)
	s.settled(id, "succeeded", `"world"`)
	r, err := s.Status(s.ctx, id)
	if err != nil || r.State != "succeeded" || r.ID != id || r.Attempt != 1 {
		t.Errorf("its status is %+v, %v", r, err)
	}
}

func TestCallIsSubmittedOverABareSocket(t *testing.T) {
	s := newPlainSite(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = io.WriteString(conn, "CONNECT {\"verbose\":false}\r\nSUB _INBOX.me 1\r\nPUB zasync.q.default.demo/echo _INBOX.me 7\r\n\"world\"\r\n")
	if err != nil {
		t.Fatal(err)
	}
	var ack struct{ Seq uint64 }
	for lines := bufio.NewScanner(conn); ack.Seq == 0 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), `{"stream"`) {
			if err := json.Unmarshal(lines.Bytes(), &ack); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.work(echo())
	s.settled(strconv.FormatUint(ack.Seq, 10), "succeeded", `"world"`)
}

func TestRawPublishMayChooseItsID(t *testing.T) {
	s := newPlainSite(t)
	s.submit("zasync.q.default.demo/echo.order-7", `[1,2]`, "Nats-Expected-Last-Subject-Sequence", "0")
	_, err := s.Submit(s.ctx, plainclient.Message("zasync.q.default.demo/echo.order-7", `[1,2]`, "Nats-Expected-Last-Subject-Sequence", "0"))
	var refused *plainclient.RefusedError
	if !errors.As(err, &refused) || refused.Code != 10071 {
		t.Errorf("the second one under the id: %v", err)
	}
	s.work(echo())
	s.settled("order-7", "succeeded", `[1,2]`)
}

func TestRepeatedPublishWithMessageIDIsStoredOnce(t *testing.T) {
	s := newPlainSite(t)
	first := s.submit("zasync.q.default.demo/echo", `1`, "Nats-Msg-Id", "mine")
	if again := s.submit("zasync.q.default.demo/echo", `1`, "Nats-Msg-Id", "mine"); again != first {
		t.Errorf("%s is stored again, as %s", first, again)
	}
}

func TestMistypedSubjectsAndOrdersToTheServerAreRefused(t *testing.T) {
	s := newPlainSite(t)
	for _, m := range []*nats.Msg{
		plainclient.Message("zasync.q.default.demo/echo", `1`, "Nats-Rollup", "all"),
		plainclient.Message("zasync.q.default.demo/echo", `1`, "Nats-TTL", "1s"),
		plainclient.Message("zasync.q.default.demo/echo", `1`, "Nats-Schedule", "@at 2030-01-01T00:00:00Z", "Nats-Schedule-Target", "zasync.q.default.x.y"),
		plainclient.Message("$KV.ZASYNC_STATE.a", `{}`, "Nats-Rollup", "all"),
	} {
		var refused *plainclient.RefusedError
		if _, err := s.Submit(s.ctx, m); !errors.As(err, &refused) {
			t.Errorf("%s with %v: %v", m.Subject, m.Header, err)
		}
	}
	for _, subject := range []string{"zasync.q.default", "zasync.q.a.b.c.d.e", "zasync.do.cancel", "zasync.later.default"} {
		if _, err := s.Submit(s.ctx, plainclient.Message(subject, `1`)); !errors.Is(err, nats.ErrNoResponders) {
			t.Errorf("%s: %v", subject, err)
		}
	}
}

func TestLiveSubjectTellsOfEveryState(t *testing.T) {
	s := newPlainSite(t)
	begin := make(chan struct{})
	var mux workerpool.Mux
	mux.Handle("slow", func(ctx context.Context, in deferred.Content) (deferred.Content, error) {
		select {
		case <-begin:
		case <-ctx.Done():
		}
		return in, nil
	})
	live, err := s.Conn.SubscribeSync("zasync.live.state.a")
	if err != nil {
		t.Fatal(err)
	}
	s.work(&mux)
	s.submit("zasync.q.default.slow.a", `1`)
	for _, want := range []string{"running", "succeeded"} {
		m, err := live.NextMsgWithContext(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(m.Data), `"state":"`+want+`"`) {
			t.Errorf("not %s: %s", want, m.Data)
		}
		if want == "running" {
			close(begin)
		}
	}
}

func TestDelayedCallIsCancelledByACommand(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	id := s.submit("zasync.later.default.demo/echo", `1`, "Zasync-Delay", "1h", "Zasync-Callbacks", `[{"on":"failure","name":"demo/echo"}]`)
	s.submit("zasync.do.cancel."+id, `{"reason":"no longer needed"}`)
	r := s.settled(id, "cancelled", "")
	if r.Failure == nil || r.Failure.Kind != "cancelled" || r.Failure.Message != "no longer needed" {
		t.Errorf("its failure is %+v", r.Failure)
	}
	s.settled(childID(id, 0), "succeeded", `{"kind":"cancelled","message":"no longer needed"}`)
	for err := error(nil); err == nil; { // its schedule is removed last
		if s.ctx.Err() != nil {
			t.Fatal("its schedule is still there")
		}
		_, err = s.Stored(s.ctx, "ZASYNC_DELAY", "zasync.at."+id)
	}
}

func TestStatusIsAlsoThatOfAnyKeyValueClient(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	id := s.submit("zasync.q.default.demo/echo", `{"a":1}`)
	s.settled(id, "succeeded", `{"a":1}`)
	js, err := natsjs.New(s.Conn)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.KeyValue(s.ctx, "ZASYNC_STATE")
	if err != nil {
		t.Fatal(err)
	}
	e, err := bucket.Get(s.ctx, id)
	if err != nil || !strings.Contains(string(e.Value()), `"state":"succeeded"`) {
		t.Errorf("%v, %v", e, err)
	}
}

func TestWaitingCallIsSeenByItsMessage(t *testing.T) {
	s := newPlainSite(t)
	s.submit("zasync.q.default.demo/echo.a", `1`)
	if _, err := s.Status(s.ctx, "a"); !errors.Is(err, plainclient.ErrNoRecord) {
		t.Errorf("its record: %v", err)
	}
	m, err := s.Stored(s.ctx, "ZASYNC_QUEUE", "zasync.q.*.*.a")
	if err != nil || m.Header.Get("Nats-Subject") != "zasync.q.default.demo/echo.a" {
		t.Errorf("%v, %v", m, err)
	}
}

func TestCallbacksTravelInAHeader(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	id := s.submit("zasync.q.default.demo/echo", `6`, "Zasync-Callbacks", `[
		{"on": "success", "name": "demo/echo", "callbacks": [{"on": "both", "name": "demo/echo", "args": {"own": "arguments"}}]},
		{"on": "failure", "name": "nobody/performs-it"},
		{"on": "both", "name": "demo/fail"}]`)
	s.settled(id, "succeeded", `6`)
	s.settled(childID(id, 0), "succeeded", `6`)
	s.settled(childID(childID(id, 0), 0), "succeeded", `{"own":"arguments"}`)
	s.settled(childID(id, 1), "succeeded", `6`) // the branch that was not taken
	s.settled(childID(id, 2), "failed", "")
}

func TestLateCallbackIsACallThatSaysWhatItFollows(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	late := s.submit("zasync.later.default.demo/echo", "", "Zasync-After", "parent", "Zasync-On", "success")
	s.submit("zasync.q.default.demo/echo.parent", `7`)
	s.settled("parent", "succeeded", `7`)
	s.settled(late, "succeeded", `7`)
}

func TestContentTypeSaysHowArgumentsAreWritten(t *testing.T) {
	s := newPlainSite(t)
	var mux workerpool.Mux
	workerpool.Register(&mux, deferred.Func[string, string]("greet"), func(_ context.Context, name string) (string, error) {
		return "Hello, " + name, nil
	})
	s.work(&mux)
	for _, c := range []struct{ body, contentType, result, resultType string }{
		{`"world"`, "", `"Hello, world"`, ""},
		{`"world"`, "application/json; charset=utf-8", `"Hello, world"`, ""},
		{"\xa5world", "application/msgpack", `"rEhlbGxvLCB3b3JsZA=="`, "application/msgpack"},
	} {
		var headers []string
		if c.contentType != "" {
			headers = []string{"Content-Type", c.contentType}
		}
		r := s.settled(s.submit("zasync.q.default.greet", c.body, headers...), "succeeded", c.result)
		if r.ResultType != c.resultType {
			t.Errorf("the result of %q is of type %q", c.contentType, r.ResultType)
		}
	}
}

func TestMessageThatCannotBeUnderstoodIsSetAside(t *testing.T) {
	for name, c := range map[string]struct {
		body    string
		headers []string
	}{
		"bad JSON":         {`{"a":`, []string{"Content-Type", "application/json"}},
		"bad MessagePack":  {"\xc1", []string{"Content-Type", "application/msgpack"}},
		"bad delay":        {`1`, []string{"Zasync-Delay", "soon"}},
		"unknown header":   {`1`, []string{"Zasync-Retry", "3"}},
		"bad callback":     {`1`, []string{"Zasync-Callbacks", `[{"on":"never","name":"x"}]`}},
		"large arguments":  {strings.Repeat("1", 256<<10+1), nil},
		"bad label":        {`1`, []string{"Zasync-Labels", `{"a b":"c"}`}},
		"branch of nobody": {`1`, []string{"Zasync-On", "success"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newPlainSite(t)
			s.work(echo())
			id := s.submit("zasync.q.default.demo/echo", c.body, c.headers...)
			r := s.settled(id, "failed", "")
			if r.Failure == nil || r.Failure.Kind != "malformed" || r.Attempt != 0 {
				t.Errorf("its record is %+v, %+v", r, r.Failure)
			}
			m, err := s.Stored(s.ctx, "ZASYNC_ASIDE", "zasync.aside.malformed")
			if err != nil {
				t.Fatal(err)
			}
			if string(m.Data) != c.body || m.Header.Get("Zasync-Reason") == "" || m.Header.Get("Zasync-Subject") != "q.default.demo/echo."+id {
				t.Errorf("set aside as %.80q with %v", m.Data, m.Header)
			}
			s.settled(s.submit("zasync.q.default.demo/echo", `"next"`), "succeeded", `"next"`)
		})
	}
}

func TestOtherCallUnderAnIDIsSetAside(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	s.submit("zasync.q.default.demo/echo.a", `1`)
	s.settled("a", "succeeded", `1`)
	s.submit("zasync.q.default.demo/echo.a", `1`) // the same: changes nothing
	s.submit("zasync.q.default.demo/echo.a", `2`)
	for {
		m, err := s.Stored(s.ctx, "ZASYNC_ASIDE", "zasync.aside.id-in-use")
		if err == nil {
			if string(m.Data) != `2` {
				t.Errorf("set aside: %s", m.Data)
			}
			break
		}
		if s.ctx.Err() != nil {
			t.Fatal("it is not set aside")
		}
	}
	s.settled("a", "succeeded", `1`)
}

func TestDelayedCallIsNeverEarly(t *testing.T) {
	s := newPlainSite(t)
	started := make(chan time.Time, 16)
	var mux workerpool.Mux
	mux.Handle("now", func(_ context.Context, in deferred.Content) (deferred.Content, error) {
		started <- time.Now()
		return in, nil
	})
	s.work(&mux)
	for i, delay := range []time.Duration{30 * time.Millisecond, 400 * time.Millisecond, 1200 * time.Millisecond} {
		for _, subject := range []string{"zasync.later.default.now", "zasync.q.default.now"} {
			before := time.Now()
			r := s.settled(s.submit(subject, fmt.Sprint(i), "Zasync-Delay", delay.String()), "succeeded", fmt.Sprint(i))
			if early := delay - (<-started).Sub(before); early > 0 {
				t.Errorf("%s: %v too early", subject, early)
			}
			if early := delay - r.Started.Sub(r.Submitted); early > 0 {
				t.Errorf("%s: by its record %v too early", subject, early)
			}
		}
	}
}

func TestAnnotationsAreKeyValuePairs(t *testing.T) {
	s := newPlainSite(t)
	s.submit("zasync.q.default.demo/echo.a", `1`)
	s.work(echo())
	s.settled("a", "succeeded", `1`)
	s.submit("$KV.ZASYNC_NOTES.a.review", `{"value":{"by":"me"},"attempt":1,"time":"2026-11-23T12:00:00Z"}`,
		"Nats-Expected-Last-Subject-Sequence", "0")
	n := 0
	for note, err := range s.queue.Annotations(s.ctx, "a") {
		if n++; err != nil || note.Key != "review" || string(note.Value) != `{"by":"me"}` || note.Past {
			t.Errorf("%+v, %v", note, err)
		}
	}
	if n != 1 {
		t.Errorf("there are %d annotations", n)
	}
}
