package integration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// What waits is made, and settled, by plain messages.

func TestAnyClientAddsCallbacksWhenItLikes(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	s.submit("zasync.later.default.demo/echo.early", "", "Zasync-After", "a", "Zasync-On", "success")
	s.submit("zasync.later.default.demo/echo.skipped", "", "Zasync-After", "a", "Zasync-On", "failure")
	s.submit("zasync.later.default.demo/echo.other-kind", "", "Zasync-After", "f", "Zasync-On", "failure", "Zasync-Kinds", `["refused"]`)
	s.submit("zasync.q.default.demo/echo.a", `"world"`)
	s.submit("zasync.q.default.demo/fail.f", "")
	s.settled("early", "succeeded", `"world"`)
	if r := s.settled("skipped", "succeeded", `"world"`); r.Attempt != 0 {
		t.Errorf("a callback on the branch that was not taken ran: %+v", r)
	}
	if r := s.settled("other-kind", "failed", ""); r.Attempt != 0 {
		t.Errorf("an errback for another kind of failure ran: %+v", r)
	}
	s.submit("zasync.later.default.demo/echo.late", `"mine"`, "Zasync-After", "a")
	s.settled("late", "succeeded", `"mine"`)
}

func TestAnyClientJoinsAndSettlesPromises(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo())
	sum := sha256.Sum256([]byte("a long random secret"))
	s.submit("zasync.later.default.approval.p", "", "Zasync-Promise", hex.EncodeToString(sum[:]))
	s.submit("zasync.later.default.all.j", `["e", "p"]`, "Zasync-Join", "all",
		"Zasync-Callbacks", `[{"on":"success","name":"demo/echo"}]`)
	s.submit("zasync.q.default.demo/echo.e", `1`)
	s.submit("zasync.do.resolve.p", `{"token":"p.wrong","value":0}`)
	s.submit("zasync.do.resolve.p", `{"token":"p.a long random secret","value":{"ok":true}}`)
	s.settled("p", "succeeded", `{"ok":true}`)
	s.submit("zasync.do.reject.p", `{"token":"p.a long random secret","message":"too late"}`)
	s.settled("j", "succeeded", `[1,{"ok":true}]`)
}

func TestAnyClientHoldsAndReleases(t *testing.T) {
	s := newPlainSite(t)
	s.submit("zasync.q.default.demo/echo.h", `1`)
	s.submit("zasync.do.hold.h", "")
	var others workerpool.Mux
	others.Handle("demo/other", func(_ context.Context, in deferred.Content) (deferred.Content, error) { return in, nil })
	s.work(&others) // which keeps house, and does not perform it
	held := end{state: "held", also: func(r *deferred.Record) bool { return r.Attempt == 0 }}
	s.becomes("h", held)
	s.submit("zasync.q.default.demo/echo.d", `1`, "Zasync-Deadline", "2020-01-01T00:00:00Z")
	s.work(echo())
	s.settled("d", "expired", "")
	s.becomes("h", held)
	s.submit("zasync.do.release.h", "")
	s.settled("h", "succeeded", `1`)
}
