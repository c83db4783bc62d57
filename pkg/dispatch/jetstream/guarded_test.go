package jetstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// The users of jetstream-users.conf, and some with fewer rights than its roles,
// on one server for all tests of rights.
var guarded = sync.OnceValue(func() *server.Server {
	for _, role := range []string{"SUBMITTER", "VIEWER", "WORKER", "OPERATOR"} {
		if err := os.Setenv("ZASYNC_"+role+"_PASSWORD", "secret"); err != nil {
			panic(err)
		}
	}
	o, err := server.ProcessConfigFile("../../../jetstream-users.conf")
	if err != nil {
		panic(err)
	}
	o.DontListen, o.JetStream, o.StoreDir, o.NoSigs, o.NoLog = true, true, guardedDir, true, true
	for name, subjects := range map[string][]string{
		"reports":   {"zasync.q.reports.>", "zasync.later.reports.>"},
		"canceller": {"zasync.do.cancel.*"},
		"joiner":    {"zasync.do.join.*"},
		"nothing":   {"unrelated"},
	} {
		o.Users = append(o.Users, user(name, subjects, "_INBOX_"+name+".>"))
	}
	o.Users = append(o.Users,
		user("deaf", []string{"zasync.>", "$JS.API.>"}, "unrelated"),
		user("reader", []string{"$JS.API.DIRECT.GET.KV_ZASYNC_STATE.$KV.ZASYNC_STATE.*"}, "_INBOX_reader.>"))
	guardedServer = runServer(o)
	return guardedServer
})

// TestMain says where it is, and ends it.
var (
	guardedDir    string
	guardedServer *server.Server
)

func stopGuarded() {
	if guardedServer != nil {
		guardedServer.Shutdown()
		guardedServer.WaitForShutdown()
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so in ten seconds: %s", what)
		}
	}
}

func user(name string, publish []string, subscribe ...string) *server.User {
	return &server.User{Username: name, Password: "secret", Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: publish}, Subscribe: &server.SubjectPermission{Allow: subscribe},
	}}
}

// as connects as a user. Violations are collected.
func as(t *testing.T, name string) (*nats.Conn, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var violations []string
	nc, err := nats.Connect("", nats.InProcessServer(guarded()), nats.UserInfo(name, "secret"), nats.CustomInboxPrefix("_INBOX_"+name),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			mu.Lock()
			defer mu.Unlock()
			violations = append(violations, err.Error())
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, func() []string { mu.Lock(); defer mu.Unlock(); return violations }
}

func queueOf(t *testing.T, name string) *dispatch.Queue {
	t.Helper()
	nc, _ := as(t, name)
	q, err := jetstream.Open(t.Context(), nc, jetstream.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// refusedSubject fails unless err is a violation, and gives its subject.
func refusedSubject(t *testing.T, err error) string {
	t.Helper()
	var e *driver.PermissionError
	if !errors.As(err, &e) || !errors.Is(err, driver.ErrNotPermitted) {
		t.Fatalf("got %v, want a violation of permissions", err)
	}
	return e.Operation + " " + e.Subject
}

// soon bounds a request that the server refuses at once. The bound is far below any timeout of
// ours and of the server's.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func joined(t *testing.T, q *dispatch.Queue) deferred.Feed {
	t.Helper()
	f, err := q.Join(t.Context(), deferred.Worker{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = f.Leave(ctx)
	})
	return f
}

func submit(t *testing.T, q *dispatch.Queue, calls ...deferred.Call) {
	t.Helper()
	if _, err := q.Submit(soon(t), calls...); err != nil {
		t.Fatal(err)
	}
}

// request publishes as a client without the library does, and gives the sequence.
func request(t *testing.T, nc *nats.Conn, subject, body string, headers ...string) uint64 {
	t.Helper()
	m := &nats.Msg{Subject: subject, Data: []byte(body), Header: nats.Header{}}
	for i := 0; i < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	answer, err := nc.RequestMsg(m, 5*time.Second)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var ack struct {
		Seq   uint64
		Error json.RawMessage
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil || ack.Seq == 0 {
		t.Fatalf("%s: %s (%v)", subject, answer.Data, err)
	}
	return ack.Seq
}

// standing counts messages.
func standing(t *testing.T, p driver.Page) (n int) {
	t.Helper()
	nc, _ := as(t, "operator")
	_, b, err := jetstream.OpenPair(soon(t), nc, jetstream.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range b.Pending(soon(t), p) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
