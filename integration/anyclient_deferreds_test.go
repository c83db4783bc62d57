package integration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"zasync/integration/internal/plainclient"
	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// promise makes one whose token is the id, a dot, and the secret.
func (s *plainSite) promise(id, secret string, headers ...string) {
	s.t.Helper()
	sum := sha256.Sum256([]byte(secret))
	s.submit("zasync.later.default.approval."+id, "", append(headers, "Zasync-Promise", hex.EncodeToString(sum[:]))...)
}

// shows reads the record of a deferred until it says what it should.
func (s *plainSite) shows(id, what string, holds func(*plainclient.Record) bool) {
	s.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := s.Status(s.ctx, id)
		if err != nil && !errors.Is(err, plainclient.ErrNoRecord) {
			s.t.Fatal(err)
		}
		if err == nil && holds(r) {
			return
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			s.t.Fatalf("%s never shows that it %s", id, what)
		}
	}
}

func waitsFor(member string) func(*plainclient.Record) bool {
	return func(r *plainclient.Record) bool { return r.State == "waiting" && slices.Contains(r.Waits.On, member) }
}

func TestAnyClientHasTheLosersOfAJoinCancelled(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	for _, id := range []string{"fast", "slow", "spared"} {
		s.promise(id, "secret of "+id)
	}
	s.submit("zasync.do.join.r", `["slow","fast"]`, "Zasync-Join", "race", "Zasync-Cancel-Rest", "true", "Zasync-Name", "race")
	s.submit("zasync.later.default.race.plain", `["spared","fast"]`, "Zasync-Join", "race")
	s.shows("r", "waits", waitsFor("fast"))
	s.shows("plain", "waits", waitsFor("fast"))
	s.submit("zasync.do.resolve.fast", `{"token":"fast.secret of fast","value":1}`)
	s.settled("r", "succeeded", `1`)
	s.settled("plain", "succeeded", `1`)
	r := s.settled("slow", "cancelled", "")
	if r.Failure == nil || r.Failure.Kind != "cancelled" {
		t.Errorf("the loser has %+v", r.Failure)
	}
	s.submit("zasync.do.resolve.spared", `{"token":"spared.secret of spared","value":2}`)
	s.settled("spared", "succeeded", `2`)
}

func TestAnyClientAddsMembersToAJoin(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	s.promise("gate", "long and random")
	s.submit("zasync.later.default.all.j", `["gate"]`, "Zasync-Join", "all")
	s.submit("zasync.do.add.j", `{"members":["b","a"]}`)
	s.shows("j", "waits for what was added", waitsFor("a"))
	s.submit("zasync.q.default.demo/echo.a", `"a"`)
	s.submit("zasync.q.default.demo/echo.b", `"b"`)
	s.submit("zasync.do.resolve.gate", `{"token":"gate.long and random"}`)
	s.settled("j", "succeeded", `[null,"b","a"]`)
}

// Two lanes are two calls, the second of which follows the first where that was
// passed by: it takes the failure of the parent, and none of its neighbour.
func TestAnyClientHasAnErrbackBesideACallback(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	for _, parent := range []string{"good", "bad"} {
		s.submit("zasync.later.default.demo/fail."+parent+"-then", "", "Zasync-After", parent, "Zasync-On", "success", "Zasync-Retries", "0")
		s.submit("zasync.later.default.demo/echo."+parent+"-else", "", "Zasync-After", parent+"-then", "Zasync-On", "skipped")
	}
	s.submit("zasync.q.default.demo/echo.good", `1`)
	s.submit("zasync.q.default.demo/fail.bad", "")
	if r := s.settled("good-else", "failed", ""); r.Attempt != 0 || r.Failure == nil || r.Failure.Message != "as asked" {
		t.Errorf("it saw the failure of its neighbour: %+v, %+v", r, r.Failure)
	}
	r, err := s.Await(s.ctx, "bad-else")
	if err != nil {
		t.Fatal(err)
	}
	var got plainclient.Failure
	if err := json.Unmarshal(r.Result, &got); err != nil || r.State != "succeeded" || r.Attempt != 1 || got.Message != "as asked" {
		t.Errorf("%s after %d attempts, called with %s (%v)", r.State, r.Attempt, r.Result, err)
	}
}

func TestAnyClientRejectsPromises(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	s.promise("p", "long and random", "Zasync-Callbacks", `[{"on":"failure","kinds":["refused"],"name":"demo/echo"}]`)
	s.submit("zasync.do.reject.p", `{"token":"p.long and random","kind":"refused","message":"too dear","by":"bob"}`)
	r := s.settled("p", "failed", "")
	if r.Failure == nil || r.Failure.Kind != "refused" || r.Failure.Message != "too dear" || r.SettledBy != "bob" {
		t.Errorf("settled by %q with %+v", r.SettledBy, r.Failure)
	}
	s.settled(childID("p", 0), "succeeded", `{"kind":"refused","message":"too dear"}`)
	s.promise("q", "another")
	s.submit("zasync.do.reject.q", `{"token":"q.another","message":"no"}`)
	if r := s.settled("q", "failed", ""); r.Failure == nil || r.Failure.Kind != "rejected" || r.SettledBy != "" {
		t.Errorf("settled by %q with %+v", r.SettledBy, r.Failure)
	}
}

func TestPromiseOfAnyClientExpires(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	by := time.Now().Add(time.Second)
	s.promise("p", "long and random", "Zasync-Deadline", by.UTC().Format(time.RFC3339Nano), "Zasync-Callbacks", `[{"on":"failure","name":"demo/echo"}]`)
	r := s.settled("p", "expired", "")
	if r.Failure == nil || r.Failure.Kind != "expired" {
		t.Errorf("its failure is %+v", r.Failure)
	}
	if early := time.Until(by); early > 0 {
		t.Errorf("it expired %v early", early)
	}
	if r, err := s.Await(s.ctx, childID("p", 0)); err != nil || r.State != "succeeded" || r.Attempt != 1 {
		t.Errorf("its errback: %+v, %v", r, err)
	}
}

// Whoever listens hears of each annotation, be it a handler's or another client's.
func TestAnyClientFollowsAnAnnotation(t *testing.T) {
	s := newPlainSite(t)
	answered := make(chan struct{})
	var mux workerpool.Mux
	mux.Handle("ask", func(ctx context.Context, in deferred.Content) (deferred.Content, error) {
		if err := deferred.Annotate(ctx, "question", "how many?"); err != nil {
			return in, err
		}
		select {
		case <-answered:
		case <-ctx.Done():
		}
		return in, nil
	})
	questions, err := s.Conn.SubscribeSync("zasync.live.note.a.question")
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.Conn.SubscribeSync("zasync.live.note.a.*")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Conn.FlushWithContext(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.work(&mux)
	s.submit("zasync.q.default.ask.a", `1`)
	type note struct {
		Value   any
		Attempt int
		Worker  string
	}
	heard := func(live *nats.Subscription) (n note) {
		t.Helper()
		got, err := live.NextMsgWithContext(s.ctx)
		if err == nil {
			err = json.Unmarshal(got.Data, &n)
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := heard(questions); n.Value != "how many?" || n.Attempt != 1 || n.Worker == "" {
		t.Errorf("heard %+v", n)
	}
	s.submit("$KV.ZASYNC_NOTES.a.answer", `{"value":7,"attempt":1,"time":"2026-11-23T12:00:00Z"}`, "Nats-Expected-Last-Subject-Sequence", "0")
	if q, a := heard(all), heard(all); q.Value != "how many?" || a.Value != 7.0 || a.Attempt != 1 || a.Worker != "" {
		t.Errorf("heard %+v and %+v", q, a)
	}
	close(answered)
	s.settled("a", "succeeded", `1`)
}
