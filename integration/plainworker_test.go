package integration

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"zasync/integration/internal/plainclient"
	"zasync/integration/internal/plainworker"
	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// perform runs a worker that has nothing of ours until the test ends.
func (s *plainSite) perform(fn func(args []byte) (json.RawMessage, error)) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	w := &plainworker.Worker{Conn: s.Conn, Queue: "default", Name: "demo/plain", Incarnation: "plain-" + s.t.Name(), Perform: fn}
	go func() { done <- w.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
	})
}

func (s *plainSite) call(c deferred.Call) *deferred.Deferred {
	s.t.Helper()
	c.Name = "demo/plain"
	if c.Args.IsZero() {
		c.Args = deferred.JSON([]byte(`"world"`))
	}
	d, err := deferred.SubmitOne(s.ctx, s.queue, c)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

// ends waits for the deferred, and checks how it ends and what it took.
func (s *plainSite) ends(d *deferred.Deferred, state deferred.State, counts deferred.Counts) deferred.Record {
	s.t.Helper()
	if _, err := d.Await(s.ctx); err != nil {
		s.t.Fatal(err)
	}
	r, err := d.Record(s.ctx)
	if err != nil || r.State != state || r.Counts != counts {
		s.t.Errorf("%s ended as %s with %+v, %v; not as %s with %+v", d.ID(), r.State, r.Counts, err, state, counts)
	}
	return r
}

// gone waits until no message stands for the id any more: the call is acknowledged.
func (s *plainSite) gone(id deferred.ID) {
	s.t.Helper()
	for {
		if _, err := s.Stored(s.ctx, "ZASYNC_QUEUE", "zasync.q.*.*."+string(id)); err != nil {
			break
		}
	}
	if err := context.Cause(s.ctx); err != nil {
		s.t.Fatal(err)
	}
}

func same(args []byte) (json.RawMessage, error) { return args, nil }

func TestPlainWorkerPerformsWhatGoSubmits(t *testing.T) {
	s := newPlainSite(t)
	s.perform(same)
	d := s.call(deferred.Call{})
	r := s.ends(d, deferred.Succeeded, deferred.Counts{})
	if string(r.Result.Data) != `"world"` || r.Attempt != 1 || !r.Seen || r.Settled.IsZero() {
		t.Errorf("its record is %+v", r)
	}
	s.gone(d.ID())
}

func TestPlainWorkerRetriesUpToTheLimit(t *testing.T) {
	s := newPlainSite(t)
	s.work(echo()) // whose housekeeping moves what is due
	times := 0
	s.perform(func([]byte) (json.RawMessage, error) {
		times++
		return nil, errors.New("not yet")
	})
	d := s.call(deferred.Call{Retries: 1})
	r := s.ends(d, deferred.Failed, deferred.Counts{Failures: 2})
	if r.Failure.Message != "not yet" || string(r.Args.Data) != `"world"` || r.Attempt != 2 || times != 2 {
		t.Errorf("performed %d times: %+v, %v", times, r, r.Failure)
	}
	s.gone(d.ID())
}

func TestPlainWorkerAndPoolShareALane(t *testing.T) {
	s := newPlainSite(t)
	s.perform(same)
	var mux workerpool.Mux
	mux.Handle("demo/plain", func(_ context.Context, in deferred.Content) (deferred.Content, error) { return in, nil })
	s.work(&mux)
	var all []*deferred.Deferred
	for range 50 {
		all = append(all, s.call(deferred.Call{}))
	}
	for _, d := range all {
		s.ends(d, deferred.Succeeded, deferred.Counts{})
	}
}

func TestPlainWorkerLeavesWhatItDoesNotKnowToOthers(t *testing.T) {
	s := newPlainSite(t)
	s.perform(func([]byte) (json.RawMessage, error) { return json.RawMessage(`"by the plain one"`), nil })
	with := s.call(deferred.Call{Callbacks: []deferred.Callback{{On: deferred.OnBoth, Call: deferred.Call{Name: "demo/plain"}}}})
	packed, err := deferred.Encode("world")
	if err != nil {
		t.Fatal(err)
	}
	binary := s.call(deferred.Call{Args: packed})
	s.ends(s.call(deferred.Call{}), deferred.Succeeded, deferred.Counts{}) // behind them in the lane
	var mux workerpool.Mux
	mux.Handle("demo/plain", func(context.Context, deferred.Content) (deferred.Content, error) {
		return deferred.JSON([]byte(`"by the pool"`)), nil
	})
	s.work(&mux)
	for _, d := range []*deferred.Deferred{with, binary} {
		if r := s.ends(d, deferred.Succeeded, deferred.Counts{}); string(r.Result.Data) != `"by the pool"` {
			t.Errorf("it is performed %s", r.Result.Data)
		}
	}
	s.ends(s.queue.Open(deferred.ChildID(with.ID(), 0)), deferred.Succeeded, deferred.Counts{})
}

func TestPlainWorkerTakesNoCallFromTheLiving(t *testing.T) {
	s := newPlainSite(t)
	feed, err := s.queue.Join(s.ctx, deferred.Worker{Name: "living"})
	if err != nil {
		t.Fatal(err)
	}
	feed.Want(deferred.Lane{Queue: "default", Name: "demo/plain"}, 1)
	d := s.call(deferred.Call{ID: "long"})
	offer, err := feed.Next(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	attempt, err := feed.Claim(s.ctx, offer)
	if err != nil {
		t.Fatal(err)
	}
	// A second message of the call: the plain worker is given it, and may neither
	// perform it nor throw it away while the living one performs the first.
	s.submit("zasync.q.default.demo/plain.long", `"world"`, "Content-Type", deferred.TypeJSON)
	beats, err := s.Conn.SubscribeSync("$KV.ZASYNC_WORKERS.plain-" + t.Name())
	if err != nil {
		t.Fatal(err)
	}
	s.perform(func([]byte) (json.RawMessage, error) { return json.RawMessage(`"by the plain one"`), nil })
	for range 6 { // it has watched for long enough to judge others
		if _, err := beats.NextMsgWithContext(s.ctx); err != nil {
			t.Fatal(err)
		}
	}
	s.ends(s.call(deferred.Call{}), deferred.Succeeded, deferred.Counts{}) // behind it in the lane
	if err := feed.Settle(s.ctx, attempt, deferred.Outcome{State: deferred.Succeeded, Result: deferred.JSON([]byte(`"by the living"`))}); err != nil {
		t.Error(err)
	}
	if r := s.ends(d, deferred.Succeeded, deferred.Counts{}); string(r.Result.Data) != `"by the living"` || r.Attempt != 1 {
		t.Errorf("its record is %+v", r)
	}
	s.gone("long")
	if err := feed.Leave(s.ctx); err != nil {
		t.Error(err)
	}
}

func TestPlainWorkerTakesOverFromTheDead(t *testing.T) {
	s := newPlainSite(t)
	d := s.call(deferred.Call{ID: "orphan"})
	// The record as a worker left it that has died since.
	digest := "d8d15e9d455c53483e082c3ab02eed7a" // of the call, as PROTOCOL.md says
	_, err := s.Submit(s.ctx, plainclient.Message("$KV.ZASYNC_STATE.orphan",
		`{"id":"orphan","name":"demo/plain","queue":"default","state":"running","attempt":1,"retries":10,"seen":true,`+
			`"token":{"worker":"dead","attempt":1},"digest":"`+digest+`","submitted":"`+time.Now().UTC().Format(time.RFC3339)+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	s.perform(same)
	if r := s.ends(d, deferred.Succeeded, deferred.Counts{Deaths: 1}); r.Attempt != 2 {
		t.Errorf("its record is %+v", r)
	}
}
