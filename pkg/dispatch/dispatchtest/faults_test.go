package dispatchtest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/dispatchtest"
	"zasync/pkg/dispatch/memory"

	"github.com/google/go-cmp/cmp"
)

var greet = dispatch.Lane{Route: dispatch.Ready, Queue: "default", Name: "greet"}

func call(id deferred.ID) dispatch.Message {
	return dispatch.Message{Route: dispatch.Ready, Queue: "default", Name: "greet", ID: id}
}

func write(name string) dispatch.Write {
	return dispatch.Write{Key: dispatch.Key{Space: dispatch.Records, Name: name}, Value: []byte("v")}
}

// names gives which of the records stand.
func names(t *testing.T, s dispatch.Store) string {
	t.Helper()
	var all string
	for e, err := range s.List(t.Context(), dispatch.Query{Space: dispatch.Records}) {
		if err != nil {
			t.Fatal(err)
		}
		all += e.Name
	}
	return all
}

func TestSoundProcessesAreOnlyCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		pair := memory.New(memory.Config{})
		f := dispatchtest.NewFaults(pair.Store, pair.Broker, 0, dispatchtest.Sound)
		f.Store().Write(ctx, []dispatch.Write{write("a"), {Key: dispatch.Key{Space: dispatch.Workers, Name: "w"}}})
		f.Broker().Put(ctx, []dispatch.Message{call("a"), call("b")})
		sub, err := f.Broker().Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sub.Want(greet, 2)
		a, _ := sub.Next(ctx)
		b, _ := sub.Next(ctx)
		if err := f.Broker().Settle(ctx, []dispatch.Settlement{
			{Delivery: a, Verdict: dispatch.Extend},
			{Delivery: a, Verdict: dispatch.Done},
			{Delivery: b, Verdict: dispatch.GiveBack},
		}); err != nil {
			t.Fatal(err)
		}
		if err := f.Broker().Remove(ctx, "a"); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"write state a", "put q default greet a", "put q default greet b",
			"done q default greet a", "give back q default greet b", "remove a",
		}
		if diff := cmp.Diff(want, f.Trace()); diff != "" || f.Count() != len(want) {
			t.Fatalf("%d operations (-want +got):\n%s", f.Count(), diff)
		}
	})
}

func TestFaultsFallOnTheChosenOperation(t *testing.T) {
	for _, c := range []struct {
		mode    dispatchtest.Mode
		answers []error
		stored  string
	}{
		{dispatchtest.Sound, []error{nil, nil, nil, nil}, "abcd"},
		{dispatchtest.Fail, []error{nil, dispatchtest.ErrFailed, nil, nil}, "acd"},
		{dispatchtest.LoseUnstored, []error{nil, dispatch.ErrUnknown, nil, nil}, "acd"},
		{dispatchtest.LoseStored, []error{nil, dispatch.ErrUnknown, nil, nil}, "abcd"},
		{dispatchtest.KillBefore, []error{nil, dispatchtest.ErrKilled, dispatchtest.ErrKilled, dispatchtest.ErrKilled}, "a"},
		{dispatchtest.KillAfter, []error{nil, dispatchtest.ErrKilled, dispatchtest.ErrKilled, dispatchtest.ErrKilled}, "ab"},
	} {
		t.Run(c.mode.String(), func(t *testing.T) {
			pair := memory.New(memory.Config{})
			f := dispatchtest.NewFaults(pair.Store, pair.Broker, 2, c.mode)
			answers := f.Store().Write(t.Context(), []dispatch.Write{write("a"), write("b"), write("c")})
			answers = append(answers, f.Store().Write(t.Context(), []dispatch.Write{write("d")})...)
			for i, a := range answers {
				if !errors.Is(a.Err, c.answers[i]) {
					t.Errorf("answer %d is %v, want %v", i+1, a.Err, c.answers[i])
				}
			}
			if got := names(t, pair.Store); got != c.stored {
				t.Errorf("stored %q, want %q", got, c.stored)
			}
			select {
			case <-f.Killed():
				if c.answers[2] == nil {
					t.Error("the process is dead")
				}
			default:
				if c.answers[2] != nil {
					t.Error("the process is not dead")
				}
			}
		})
	}
}

func TestFaultsReachEveryKindOfOperation(t *testing.T) {
	schedule := dispatch.Message{Route: dispatch.Delay, ID: "b", At: time.Now().Add(time.Hour)}
	for _, c := range []struct {
		mode                 dispatchtest.Mode
		put, settled, remove error
		found                string
	}{
		{dispatchtest.Fail, dispatchtest.ErrFailed, dispatchtest.ErrFailed, dispatchtest.ErrFailed, "ab"},
		{dispatchtest.LoseUnstored, dispatch.ErrUnknown, nil, dispatch.ErrUnknown, "ab"},
		{dispatchtest.LoseStored, dispatch.ErrUnknown, nil, dispatch.ErrUnknown, "c"},
		{dispatchtest.KillBefore, dispatchtest.ErrKilled, dispatchtest.ErrKilled, dispatchtest.ErrKilled, "ab"},
		{dispatchtest.KillAfter, dispatchtest.ErrKilled, dispatchtest.ErrKilled, dispatchtest.ErrKilled, "c"},
	} {
		t.Run(c.mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				pair := memory.New(memory.Config{})
				pair.Broker.Put(ctx, []dispatch.Message{call("a"), schedule})
				broker := func() dispatch.Broker {
					return dispatchtest.NewFaults(pair.Store, pair.Broker, 1, c.mode).Broker()
				}
				process := broker()
				sub, _ := process.Subscribe(ctx)
				sub.Want(greet, 1)
				d, _ := sub.Next(ctx)
				err := process.Settle(ctx, []dispatch.Settlement{{Delivery: d, Verdict: dispatch.Done}})
				if !errors.Is(err, c.settled) {
					t.Errorf("settle: %v, want %v", err, c.settled)
				}
				if err := broker().Remove(ctx, "b"); !errors.Is(err, c.remove) {
					t.Errorf("remove: %v, want %v", err, c.remove)
				}
				if err := broker().Put(ctx, []dispatch.Message{call("c")})[0].Err; !errors.Is(err, c.put) {
					t.Errorf("put: %v, want %v", err, c.put)
				}
				var found string
				for _, id := range []deferred.ID{"a", "b", "c"} {
					if f, _ := pair.Broker.Find(ctx, id); len(f) > 0 {
						found += string(id)
					}
				}
				if found != c.found {
					t.Errorf("found %q, want %q", found, c.found)
				}
			})
		})
	}
}

func TestDeadProcessDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		pair := memory.New(memory.Config{})
		f := dispatchtest.NewFaults(pair.Store, pair.Broker, 1, dispatchtest.KillBefore)
		pair.Broker.Put(ctx, []dispatch.Message{call("a")})
		sub, _ := f.Broker().Subscribe(ctx)
		sub.Want(greet, 5)
		held, _ := sub.Next(ctx)

		waiting, stop := context.WithCancel(ctx)
		ended := make(chan error, 2)
		next := func() {
			_, err := sub.Next(waiting)
			ended <- err
		}
		go next()
		synctest.Wait()
		f.Store().Write(ctx, []dispatch.Write{write("a")})
		<-f.Killed()
		go next()
		pair.Broker.Put(ctx, []dispatch.Message{call("b")})
		synctest.Wait()
		if len(ended) > 0 {
			t.Errorf("Next of a dead process ended with %v", <-ended)
		}
		stop()
		for range 2 {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Next ended with %v, want context.Canceled", err)
			}
		}

		_, read := f.Store().Read(ctx, nil)
		_, watch := f.Store().Watch(ctx, nil)
		_, find := f.Broker().Find(ctx, "a")
		_, subscribe := f.Broker().Subscribe(ctx)
		errs := []error{
			read, watch, find, subscribe, sub.Close(),
			f.Store().Write(ctx, []dispatch.Write{{Key: dispatch.Key{Space: dispatch.Workers, Name: "w"}}})[0].Err,
			f.Broker().Settle(ctx, []dispatch.Settlement{{Delivery: held, Verdict: dispatch.Extend}}),
			f.Broker().Settle(ctx, []dispatch.Settlement{{Delivery: held, Verdict: dispatch.Done}}),
		}
		for _, err := range f.Store().List(ctx, dispatch.Query{}) {
			errs = append(errs, err)
		}
		for _, err := range f.Broker().Pending(ctx, dispatch.Page{}) {
			errs = append(errs, err)
		}
		if i := slices.IndexFunc(errs, func(err error) bool { return !errors.Is(err, dispatchtest.ErrKilled) }); i >= 0 || len(errs) != 10 {
			t.Errorf("error %d of %v is not ErrKilled", i, errs)
		}
		if f.Count() != 1 {
			t.Errorf("the dead process did %d operations", f.Count()-1)
		}
	})
}

func TestWhatADeadProcessHeldComesAgainWhenItsLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		pair := memory.New(memory.Config{})
		f := dispatchtest.NewFaults(pair.Store, pair.Broker, 1, dispatchtest.KillAfter)
		pair.Broker.Put(ctx, []dispatch.Message{call("a")})
		sub, _ := f.Broker().Subscribe(ctx)
		sub.Want(greet, 1)
		held, _ := sub.Next(ctx)
		f.Store().Write(ctx, []dispatch.Write{write("a")})

		other, _ := pair.Broker.Subscribe(ctx)
		other.Want(greet, 1)
		again, err := other.Next(ctx)
		if err != nil || again.Seq != held.Seq {
			t.Fatalf("got %+v, %v, want sequence %d", again, err, held.Seq)
		}
		if waited := again.Got.Sub(held.Got); waited != memory.DefaultLease {
			t.Fatalf("it came after %v, want the lease of %v", waited, memory.DefaultLease)
		}
	})
}
