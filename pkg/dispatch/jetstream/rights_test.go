package jetstream_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/jetstream"
)

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
	joined(t, w)
	if r, err := w.Await(soon(t), "to-cancel"); err != nil || r.State != deferred.Cancelled {
		t.Errorf("it is %s, %v", r.State, err)
	}
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
	eventually(t, "all commands are carried out", func() bool { return standing(t, driver.Page{Route: driver.Commands}) == 0 })
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
