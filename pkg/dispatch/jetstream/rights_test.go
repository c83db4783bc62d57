package jetstream_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
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
	var e *dispatch.PermissionError
	if !errors.As(err, &e) || !errors.Is(err, dispatch.ErrNotPermitted) {
		t.Fatalf("got %v, want a violation of permissions", err)
	}
	return e.Operation + " " + e.Subject
}

// at most: what is refused is told at once. The bound is far below any timeout of
// ours and of the server's.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestSubmitterOpensAndSubmitsWithItsRightsAlone(t *testing.T) {
	queueOf(t, "worker") // makes the streams
	nc, violations := as(t, "submitter")
	q, err := jetstream.Open(soon(t), nc, jetstream.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if v := violations(); len(v) != 0 {
		t.Errorf("the handler of the connection was told of what is no news: %q", v)
	}
	for _, c := range []deferred.Call{{Name: "free"}, {Name: "chosen", ID: "chosen-1"}, {Name: "chosen", ID: "chosen-1"}, {Name: "later", Delay: time.Hour}} {
		if _, err := q.Submit(soon(t), c); err != nil {
			t.Errorf("submit %s: %v", c.Name, err)
		}
	}
}

func TestWhatIsRefusedIsToldAtOnceWithItsSubject(t *testing.T) {
	queueOf(t, "worker")
	nothing, reader := queueOf(t, "nothing"), queueOf(t, "reader")
	for _, c := range []struct {
		name string
		do   func(ctx context.Context) error
		want string
	}{
		{"submit", func(ctx context.Context) error {
			_, err := nothing.Submit(ctx, deferred.Call{Name: "n", ID: "x"})
			return err
		}, "publish zasync.q.default.n.x"},
		{"record", func(ctx context.Context) error { _, err := nothing.Record(ctx, "x"); return err }, "publish $JS.API.DIRECT.GET.KV_ZASYNC_STATE.$KV.ZASYNC_STATE.x"},
		{"await", func(ctx context.Context) error { _, err := nothing.Await(ctx, "x"); return err }, "publish $JS.API.DIRECT.GET.KV_ZASYNC_STATE.$KV.ZASYNC_STATE.x"},
		{"await without listening", func(ctx context.Context) error { _, err := reader.Await(ctx, "x"); return err }, "subscribe zasync.live.state.x"},
		{"watch", func(ctx context.Context) (err error) {
			for _, err = range reader.Watch(ctx, "x") {
				return err
			}
			return nil
		}, "subscribe zasync.live.state.x"},
		{"cancel", func(ctx context.Context) error {
			return nothing.Do(ctx, deferred.Command{Verb: deferred.Cancel, ID: "x"})
		}, "publish zasync.do.cancel.x"},
		{"list", func(ctx context.Context) (err error) {
			for _, err = range nothing.List(ctx, dispatch.Filter{}) {
				return err
			}
			return nil
		}, "publish $JS.API.DIRECT.GET.KV_ZASYNC_STATE"},
		{"join as a worker", func(ctx context.Context) error {
			_, err := nothing.Join(ctx, deferred.Worker{Incarnation: "w"})
			return err
		}, "publish $KV.ZASYNC_WORKERS.w"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := refusedSubject(t, c.do(soon(t))); got != c.want {
				t.Errorf("refused: %s, want %s", got, c.want)
			}
		})
	}
}

func TestWhoMayNotHearAnswersIsToldSoWhenItOpens(t *testing.T) {
	queueOf(t, "worker")
	nc, _ := as(t, "deaf")
	_, err := jetstream.Open(soon(t), nc, jetstream.Config{})
	if got := refusedSubject(t, err); !strings.HasPrefix(got, "subscribe _INBOX_deaf.") {
		t.Errorf("refused: %s", got)
	}
}

func TestViolationsReachTheConnectionsOwnHandler(t *testing.T) {
	nc, violations := as(t, "nothing")
	q, err := jetstream.Open(t.Context(), nc, jetstream.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = q.Submit(soon(t), deferred.Call{Name: "n", ID: "y"})
	refusedSubject(t, err)
	if err := nc.Publish("elsewhere", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both violations are told", func() bool {
		all := strings.Join(violations(), "\n")
		return strings.Contains(all, "zasync.q.default.n.y") && strings.Contains(all, "elsewhere")
	})
}

func TestWhoMayCancelOnlyGivesTheCommand(t *testing.T) {
	w := queueOf(t, "worker")
	if err := queueOf(t, "canceller").Do(soon(t), deferred.Command{Verb: deferred.Cancel, ID: "to-cancel"}); err != nil {
		t.Fatal(err)
	}
	f := joined(t, w)
	_ = f
	if r, err := w.Await(soon(t), "to-cancel"); err != nil || r.State != deferred.Cancelled {
		t.Errorf("it is %s, %v", r.State, err)
	}
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

func TestSubmitterCannotCancelByAJoin(t *testing.T) {
	w := queueOf(t, "worker")
	joined(t, w)
	submit(t, w, deferred.Call{Name: "long", Queue: "billing", ID: "victim"}, deferred.Call{Name: "long", Queue: "billing", ID: "victim-2"},
		deferred.Call{Name: "long", Queue: "billing", ID: "gone"})
	if err := w.Open("gone").Cancel(soon(t), "no"); err != nil {
		t.Fatal(err)
	}
	nc, _ := as(t, "reports")
	for _, subject := range []string{"zasync.later.reports.race.evil-1", "zasync.q.reports.race.evil-2"} {
		request(t, nc, subject, `["gone","victim"]`, "Zasync-Join", "race", "Zasync-Cancel-Rest", "true")
	}
	request(t, nc, "zasync.later.reports.race.evil-3", `["gone","victim-2"]`, "Zasync-Join", "race")
	if r, err := w.Await(soon(t), "evil-1"); err != nil || r.Failure.Kind != deferred.KindMalformed {
		t.Errorf("the join that cancels ends with %v (%v)", r.Failure, err)
	}
	if r, err := w.Await(soon(t), "evil-3"); err != nil || r.State != deferred.Cancelled {
		t.Errorf("the plain race is %s (%v)", r.State, err)
	}
	reports := queueOf(t, "reports")
	_, err := reports.Submit(soon(t), deferred.Call{Name: "race", Queue: "reports", ID: "evil-4", Join: &deferred.Join{Mode: deferred.JoinRace, Members: []deferred.ID{"victim"}, CancelRest: true}})
	if got := refusedSubject(t, err); got != "publish zasync.do.join.evil-4" {
		t.Errorf("refused: %s", got)
	}
	eventually(t, "all commands are carried out", func() bool { return standing(t, dispatch.Page{Route: dispatch.Commands}) == 0 })
	for _, id := range []deferred.ID{"victim", "victim-2"} {
		if r, err := w.Record(soon(t), id); err != nil || r.State.Settled() {
			t.Errorf("%s is %s (%v)", id, r.State, err)
		}
	}
}

func TestWhoMayJoinCancelsTheRest(t *testing.T) {
	w := queueOf(t, "worker")
	joined(t, w)
	submit(t, w, deferred.Call{Name: "long", ID: "loser"}, deferred.Call{Name: "long", ID: "winner"})
	if err := w.Open("winner").Cancel(soon(t), "first"); err != nil {
		t.Fatal(err)
	}
	_, err := queueOf(t, "joiner").Submit(soon(t), deferred.Call{Name: "race", ID: "own", Join: &deferred.Join{Mode: deferred.JoinRace, Members: []deferred.ID{"loser", "winner"}, CancelRest: true}})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := w.Await(soon(t), "loser"); err != nil || r.State != deferred.Cancelled {
		t.Errorf("the loser is %s (%v)", r.State, err)
	}
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
func standing(t *testing.T, p dispatch.Page) (n int) {
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

// A worker, a submitter and a viewer with the rights of their roles do all that
// there is to do between them, and nothing is refused.
func TestRolesSufficeForTheirWork(t *testing.T) {
	u := "-" + string(deferred.NewID())
	wnc, refusedToWorker := as(t, "worker")
	w, err := jetstream.Open(t.Context(), wnc, jetstream.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	f := joined(t, w)
	f.Want(deferred.Lane{Queue: "reports", Name: "role"}, 10)
	vnc, refusedToViewer := as(t, "viewer")
	viewer, err := jetstream.Open(t.Context(), vnc, jetstream.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	call := deferred.Call{Name: "role", Queue: "reports", ID: deferred.ID("role-1" + u), Delay: 10 * time.Millisecond, Deadline: time.Now().Add(time.Hour)}
	call.Callbacks = []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "role", Queue: "reports"}}}
	submit(t, queueOf(t, "submitter"), call, deferred.Call{Name: "nobody", Queue: "reports", ID: deferred.ID("role-2" + u)})
	if r, err := viewer.Record(soon(t), deferred.ID("role-2"+u)); err != nil || r.State != deferred.Pending {
		t.Errorf("what no worker has met is %s (%v)", r.State, err)
	}
	for range 3 { // a failure that is tried again, and the callback
		o, err := f.Next(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		a, err := f.Claim(soon(t), o)
		if err != nil {
			t.Fatal(err)
		}
		out := deferred.Outcome{State: deferred.Succeeded, Result: deferred.JSON([]byte(`1`))}
		if a.Number == 1 && a.ID == deferred.ID("role-1"+u) {
			out = deferred.Outcome{State: deferred.Scheduled, Retry: deferred.Advice{After: time.Millisecond}}
		}
		if err := f.Settle(soon(t), a, out); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := viewer.Await(soon(t), deferred.ChildID(deferred.ID("role-1"+u), 0)); err != nil || r.State != deferred.Succeeded {
		t.Errorf("the callback is %s (%v)", r.State, err)
	}
	for _, err := range viewer.List(soon(t), dispatch.Filter{}) {
		if err != nil {
			t.Error(err)
		}
	}
	for _, err := range viewer.Watch(soon(t), deferred.ID("role-1"+u)) {
		if err != nil {
			t.Error(err)
		}
	}
	if v := append(refusedToWorker(), refusedToViewer()...); len(v) > 0 {
		t.Errorf("refused was %q", v)
	}
}

// Who may submit to one queue takes numbers that come next, and the calls of
// another queue have them all the same.
func TestSubmitterOfOneQueueTakesNoNumbers(t *testing.T) {
	w := queueOf(t, "worker")
	f := joined(t, w)
	nc, _ := as(t, "reports")
	next := request(t, nc, "zasync.q.reports.nobody", "0") + 1
	const n = 10
	for i := range uint64(n) {
		id := strconv.FormatUint(next+n+i, 10)
		if i%2 == 0 {
			request(t, nc, "zasync.later.reports.job."+id, `"squat"`)
		} else {
			request(t, nc, "zasync.q.reports.job."+id, `"squat"`, "Zasync-Labels", "{")
		}
	}
	f.Want(deferred.Lane{Queue: "reports", Name: "job"}, 10)
	f.Want(deferred.Lane{Queue: "billing", Name: "job"}, 10)
	operator, _ := as(t, "operator")
	taken := 0
	for range 2 * n { // words of workers may have numbers in between
		seq := request(t, operator, "zasync.q.billing.job", `"invoice"`)
		if seq >= next+n && seq < next+2*n {
			taken++
		}
		o, err := f.Next(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		a, err := f.Claim(soon(t), o)
		if err != nil || a.ID != deferred.ID(strconv.FormatUint(seq, 10)) || a.Lane.Queue != "billing" || string(a.Args.Data) != `"invoice"` {
			t.Fatalf("performed is %+v (%v)", a, err)
		}
		if err := f.Settle(soon(t), a, deferred.Outcome{State: deferred.Succeeded}); err != nil {
			t.Fatal(err)
		}
	}
	if taken == 0 {
		t.Error("none of the calls had a number that was taken before")
	}
}

// What PROTOCOL.md says that a submitter to one queue can do to others: these
// sentences are warnings, and must be true as well.
func TestSubmitterOfOneQueueCanDoWhatThePageWarnsOf(t *testing.T) {
	u := "-" + string(deferred.NewID())
	w := queueOf(t, "worker")
	f := joined(t, w)
	nc, _ := as(t, "reports")
	perform := func(queue, name string) *deferred.Attempt {
		t.Helper()
		f.Want(deferred.Lane{Queue: queue, Name: name}, 10)
		o, err := f.Next(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		a, err := f.Claim(soon(t), o)
		if err == nil {
			err = f.Settle(soon(t), a, deferred.Outcome{State: deferred.Succeeded, Result: deferred.JSON([]byte(`"secret"`))})
		}
		if err != nil {
			t.Fatal(err)
		}
		return a
	}

	request(t, nc, "zasync.q.reports.warned.with-callback"+u, "1", "Zasync-Callbacks", `[{"on":"both","name":"pay","queue":"billing"}]`)
	perform("reports", "warned")
	if a := perform("billing", "pay"); a.Lane.Queue != "billing" {
		t.Errorf("the callback is performed in %s", a.Lane.Queue)
	}

	submit(t, w, deferred.Call{Name: "pay", Queue: "billing", ID: deferred.ID("known" + u)})
	perform("billing", "pay")
	request(t, nc, "zasync.later.reports.spy.reader"+u, "", "Zasync-After", "known"+u)
	if a := perform("reports", "spy"); a.Parent == nil || string(a.Parent.Outcome.Result.Data) != `"secret"` {
		t.Errorf("what hangs on a known id is given %+v", a.Parent)
	}

	request(t, nc, "zasync.q.reports.warned.guessed"+u, "1")
	perform("reports", "warned")
	operator, _ := as(t, "operator")
	request(t, operator, "zasync.q.billing.pay.guessed"+u, "2")
	o, err := f.Next(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Claim(soon(t), o); !errors.Is(err, deferred.ErrTaken) {
		t.Errorf("the call under an id that was guessed is performed (%v)", err)
	}
	eventually(t, "it is set aside", func() bool {
		return standing(t, dispatch.Page{Route: dispatch.Ready, Queue: "billing", Name: "pay"}) == 0
	})
	if r, err := w.Record(soon(t), deferred.ID("guessed"+u)); err != nil || r.Queue != "reports" {
		t.Errorf("the id is that of a call in %s (%v)", r.Queue, err)
	}
}
