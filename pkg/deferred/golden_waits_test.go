package deferred_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
)

// The secret of the golden promise, and the token that is made of it.
const (
	goldenSecret = "KD6QPBZ2OFVJ7AXI5CWMEHRS3T"
	goldenToken  = deferred.PromiseToken("p." + goldenSecret)
	goldenDigest = "5d8723591151602db0a7016af1b0c3283b150c5d5b500c65eb33d8d194637f57"
)

// unperformed is the record of what no worker performs.
func unperformed(id deferred.ID, name string, s deferred.State) deferred.Record {
	return deferred.Record{
		ID: id, Name: name, Queue: "default", State: s, Retries: 10, Seen: true,
		Digest: "9f86d081884c7d659a2feaa0c55ad015", Submitted: clock(0),
	}
}

func joined(m deferred.JoinMode, s deferred.State, change func(*deferred.Record)) deferred.Record {
	r := unperformed("j", string(m), s)
	r.Waits = &deferred.Waits{Mode: m, On: []deferred.ID{"a", "b"}}
	if s.Settled() {
		r.Settled = clock(9)
	}
	change(&r)
	return r
}

func goldenJoins() map[string]deferred.Record {
	b := deferred.Failure{Kind: "payment declined", Message: "no funds", Attempt: 1, Worker: "w1"}
	return map[string]deferred.Record{
		"waiting_all":         joined(deferred.JoinAll, deferred.Waiting, func(r *deferred.Record) { r.Waits.Attached = 2 }),
		"waiting_all_settled": joined(deferred.JoinAllSettled, deferred.Waiting, func(*deferred.Record) {}),
		"waiting_any":         joined(deferred.JoinAny, deferred.Waiting, func(r *deferred.Record) { r.Waits.CancelRest = true }),
		"waiting_race":        joined(deferred.JoinRace, deferred.Waiting, func(r *deferred.Record) { r.Deadline = clock(30) }),
		"succeeded_all": joined(deferred.JoinAll, deferred.Succeeded, func(r *deferred.Record) {
			r.Result, r.Waits.Released = deferred.JSON([]byte(`[6,"x"]`)), true
		}),
		"succeeded_all_settled": joined(deferred.JoinAllSettled, deferred.Succeeded, func(r *deferred.Record) {
			r.Result = deferred.JSON([]byte(`[{"id":"a","state":"succeeded","result":6},` +
				`{"id":"b","state":"failed","failure":{"kind":"payment declined","message":"no funds","attempt":1,"worker":"w1"}}]`))
			r.Waits.Released = true
		}),
		"succeeded_any": joined(deferred.JoinAny, deferred.Succeeded, func(r *deferred.Record) {
			r.Result, r.Waits.Winner = deferred.JSON([]byte(`6`)), "a"
		}),
		"succeeded_result_of": joined(deferred.JoinAll, deferred.Succeeded, func(r *deferred.Record) { r.ResultOf = "j" }),
		"succeeded_result_held": joined(deferred.JoinAny, deferred.Succeeded, func(r *deferred.Record) {
			r.Waits.Winner, r.ResultOf, r.Holds = "a", "a", true
		}),
		"succeeded_result_unknown": joined(deferred.JoinAllSettled, deferred.Succeeded, func(r *deferred.Record) {
			r.Waits.Unknown, r.Waits.Released = []deferred.ID{"b"}, true
			r.ResultOf, r.Needed = "j", clock(90)
		}),
		"failed_all": joined(deferred.JoinAll, deferred.Failed, func(r *deferred.Record) {
			b.Member = "b"
			r.Failure, r.Waits.Winner = &b, "b"
		}),
		"failed_any": joined(deferred.JoinAny, deferred.Failed, func(r *deferred.Record) {
			r.Failure = &deferred.Failure{Kind: deferred.KindAllFailed, Message: "none of 2 members has succeeded", Chain: []deferred.Cause{
				{Kind: deferred.KindCancelled, Message: "a: no longer needed"}, {Kind: "payment declined", Message: "b: no funds"},
			}}
		}),
	}
}

func goldenPromises() map[string]deferred.Record {
	promise := func(s deferred.State, by string) deferred.Record {
		r := unperformed("p", "approval", s)
		r.Promise, r.SettledBy = goldenDigest, by
		if s.Settled() {
			r.Settled = clock(9)
		}
		return r
	}
	waiting, resolved, rejected := promise(deferred.Waiting, ""), promise(deferred.Succeeded, "alice"), promise(deferred.Failed, "bob")
	waiting.Deadline = clock(30)
	resolved.Result = deferred.JSON([]byte(`{"approved":true}`))
	rejected.Failure = &deferred.Failure{Kind: "refused", Message: "too dear"}
	return map[string]deferred.Record{"waiting_promise": waiting, "succeeded_promise": resolved, "failed_promise": rejected}
}

func goldenCalled() map[string]deferred.Record {
	performed := func(s deferred.State) deferred.Record {
		r := unperformed("c", "mend", s)
		r.Attempt, r.Started, r.Token = 1, clock(1), deferred.Token{Worker: "RZ4JMJ2D6ZTPZFVH5Q7W3XNBKC", Attempt: 1}
		return r
	}
	adopter := performed(deferred.Waiting)
	adopter.Args = deferred.JSON([]byte(`{"x":1}`))
	adopter.Waits = &deferred.Waits{Mode: deferred.AdoptInner, On: []deferred.ID{"inner"}}

	after := unperformed("c", "mend", deferred.Waiting)
	after.Args, after.BeginBy = deferred.Content{Type: deferred.TypeMessagePack, Data: []byte{1}}, clock(40)
	after.Parent = &deferred.RecordedParent{ID: "parent", On: deferred.OnFailure, Kinds: []string{"refused", "timeout"}}
	after.Waits = &deferred.Waits{Mode: deferred.AfterParent, On: []deferred.ID{"parent"}}

	skipped := unperformed("c", "mend", deferred.Failed)
	skipped.Settled, skipped.Skipped = clock(2), true
	skipped.Parent = &deferred.RecordedParent{ID: "parent", On: deferred.OnSuccess, Released: true}
	skipped.Failure = &deferred.Failure{Kind: "error", Message: "EOF", Attempt: 1, Worker: "w1"}

	large := unperformed("c", "mend", deferred.Succeeded)
	large.Settled, large.Skipped, large.ResultOf = clock(2), true, "j"
	large.Parent = &deferred.RecordedParent{ID: "j", On: deferred.OnFailure}

	handled := performed(deferred.Failed)
	handled.Settled, handled.Handled = clock(2), true
	handled.Failure = &deferred.Failure{Kind: deferred.KindTimeout, Message: "the attempt ran for longer than its timeout", Attempt: 1, Worker: "w1"}

	overdue := performed(deferred.Expired)
	overdue.Settled, overdue.Deadline = clock(9), clock(9)
	overdue.Failure = &deferred.Failure{Kind: deferred.KindExpired, Message: "it had not settled by 2026-11-23T17:00:09Z"}

	terms := performed(deferred.Scheduled)
	terms.NotBefore, terms.Deadline, terms.Timeout, terms.Keep = clock(30), clock(50), 1500*time.Millisecond, 48*time.Hour
	terms.Counts.Failures, terms.Failure = 1, &deferred.Failure{Kind: "error", Message: "EOF", Attempt: 1, Worker: "w1"}

	released := unperformed("c", "mend", deferred.Pending)
	released.Obeyed = 1795442839409063
	return map[string]deferred.Record{
		"waiting_adopt": adopter, "waiting_after": after, "failed_skipped": skipped, "succeeded_result_of_another": large, "failed_handled": handled,
		"expired_deadline": overdue, "scheduled_terms": terms, "pending_released": released,
		"held_early":      {ID: "c", State: deferred.Held, Obeyed: 1795442839409062},
		"pending_waiters": {ID: "a", State: deferred.Pending, Callbacks: goldenWaiters()},
		"succeeded_lanes": {
			ID: "c", Name: "mend", Queue: "default", State: deferred.Succeeded, Attempt: 1, Seen: true, Digest: "9f86d081884c7d659a2feaa0c55ad015",
			Token: deferred.Token{Worker: "RZ4JMJ2D6ZTPZFVH5Q7W3XNBKC", Attempt: 1}, Submitted: clock(0), Started: clock(1), Settled: clock(2),
			Callbacks: recorded("c", goldenLanes()),
		},
	}
}

// goldenWaiters are what others leave in a record: a join of the mode all, one
// of all-settled, one of any that listens to this one, and a late callback that
// needs it no longer.
func goldenWaiters() []deferred.RecordedCallback {
	return []deferred.RecordedCallback{
		{On: deferred.OnFailure, ID: "all", Waiter: true},
		{On: deferred.OnBoth, ID: "settled", Waiter: true, Fired: true},
		{On: deferred.OnBoth, ID: "any", Waiter: true},
		{On: deferred.OnFailure, ID: "late", Waiter: true, Fired: true, Settled: true},
	}
}

// goldenLanes are callbacks of which the failure chooses, and with every term.
func goldenLanes() []deferred.Callback {
	return []deferred.Callback{
		{On: deferred.OnSuccess, Call: deferred.Call{Name: "store", Callbacks: []deferred.Callback{
			{On: deferred.OnSkipped, Call: deferred.Call{Name: "apologize"}},
			{On: deferred.OnSkipped, Kinds: []string{"payment declined"}, Call: deferred.Call{Name: "remind"}},
		}}},
		{On: deferred.OnFailure, Kinds: []string{"refused", "timeout"}, Call: deferred.Call{
			Name: "mail/send", Deadline: clock(50), Timeout: 30 * time.Second, Keep: 48 * time.Hour,
		}},
	}
}

func recorded(parent deferred.ID, callbacks []deferred.Callback) []deferred.RecordedCallback {
	var list []deferred.RecordedCallback
	for i, c := range callbacks {
		list = append(list, deferred.RecordedCallback{On: c.On, Kinds: c.Kinds, ID: deferred.ChildID(parent, i), Call: c.Call})
	}
	return list
}

func TestTheGoldenPromiseIsOpenedByItsTokenOnly(t *testing.T) {
	for name := range goldenPromises() {
		var r deferred.Record
		if err := json.Unmarshal(golden(t, name), &r); err != nil {
			t.Fatal(err)
		}
		if !goldenToken.Opens(&r) || deferred.PromiseToken("p.wrong").Opens(&r) || deferred.PromiseToken("q."+goldenSecret).Opens(&r) {
			t.Errorf("the secret of %s is another one now", name)
		}
	}
}

// What the stored form says is acted upon: which callbacks an outcome takes,
// what is still owed, whether somebody should look at the failure.
func TestGoldenRecordsMeanWhatTheyMeant(t *testing.T) {
	type meaning struct {
		Takes     []deferred.ID // of its callbacks, those that its outcome is for
		Unfired   bool
		Unhandled bool
	}
	want := map[string]meaning{
		"succeeded_lanes": {Takes: []deferred.ID{deferred.ChildID("c", 0)}, Unfired: true},
		"pending_waiters": {Unfired: true},
		"succeeded":       {Takes: []deferred.ID{"c0", "c1"}, Unfired: true},
		"failed":          {Unhandled: true}, "failed_all": {Unhandled: true}, "failed_any": {Unhandled: true}, "failed_promise": {Unhandled: true},
		"failed_skipped": {Unhandled: true}, "expired": {Unhandled: true}, "expired_deadline": {Unhandled: true},
	}
	for name := range goldenRecords() {
		var r deferred.Record
		if err := json.Unmarshal(golden(t, name), &r); err != nil {
			t.Fatal(err)
		}
		got := meaning{Unfired: r.Unfired(), Unhandled: r.Unhandled()}
		for i := range r.Callbacks {
			if c := &r.Callbacks[i]; c.Takes(&r) {
				got.Takes = append(got.Takes, c.ID)
			}
		}
		if diff := cmp.Diff(want[name], got); diff != "" {
			t.Errorf("%s means something else now (-want +got):\n%s", name, diff)
		}
	}
}

func TestGoldenLanesAreChosenByTheFailure(t *testing.T) {
	lanes, err := deferred.UnmarshalCallbacks(golden(t, "callbacks_kinds"))
	if err != nil {
		t.Fatal(err)
	}
	refused := &deferred.Record{State: deferred.Failed, Failure: &deferred.Failure{Kind: "error", Chain: []deferred.Cause{{Kind: "refused"}}}}
	other := &deferred.Record{State: deferred.Failed, Failure: &deferred.Failure{Kind: "payment declined"}}
	skipped := &deferred.Record{State: deferred.Failed, Skipped: true, Failure: other.Failure}
	under := lanes[0].Call.Callbacks
	for _, c := range []struct {
		what string
		lane deferred.Callback
		of   *deferred.Record
		want bool
	}{
		{"a kind in the chain", lanes[1], refused, true},
		{"another kind", lanes[1], other, false},
		{"the second lane, of a failure that was passed on", under[0], skipped, true},
		{"the second lane, of the callback's own failure", under[0], other, false},
		{"the second lane, by kind", under[1], skipped, true},
	} {
		if got := (&deferred.After{On: c.lane.On, Kinds: c.lane.Kinds}).Takes(c.of); got != c.want {
			t.Errorf("%s is taken: %t", c.what, got)
		}
	}
}
