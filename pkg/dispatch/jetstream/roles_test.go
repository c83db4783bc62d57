package jetstream_test

import (
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/jetstream"
)

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
		return standing(t, driver.Page{Route: driver.Ready, Queue: "billing", Name: "pay"}) == 0
	})
	if r, err := w.Record(soon(t), deferred.ID("guessed"+u)); err != nil || r.Queue != "reports" {
		t.Errorf("the id is that of a call in %s (%v)", r.Queue, err)
	}
}
