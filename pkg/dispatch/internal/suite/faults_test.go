package suite_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/memory"

	"github.com/google/go-cmp/cmp"
)

var greet = driver.Lane{Route: driver.Ready, Queue: "default", Name: "greet"}

func call(id deferred.ID) driver.Message {
	return driver.Message{Route: driver.Ready, Queue: "default", Name: "greet", ID: id}
}

func write(name string) driver.Write {
	return driver.Write{Key: driver.Key{Space: driver.Records, Name: name}, Value: []byte("v")}
}

// names gives which of the records stand.
func names(t *testing.T, s driver.Store) string {
	t.Helper()
	var all string
	for e, err := range s.List(t.Context(), driver.Query{Space: driver.Records}) {
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
		f := drivertest.NewFaults(pair.Store, pair.Broker, 0, drivertest.Sound)
		f.Store().Write(ctx, []driver.Write{write("a"), {Key: driver.Key{Space: driver.Workers, Name: "w"}}})
		f.Broker().Put(ctx, []driver.Message{call("a"), call("b")})
		sub, err := f.Broker().Subscribe(ctx)
		if err != nil {
			t.Fatal(err)
		}
		sub.Want(greet, 2)
		a, _ := sub.Next(ctx)
		b, _ := sub.Next(ctx)
		if err := f.Broker().Settle(ctx, []driver.Settlement{
			{Delivery: a, Verdict: driver.Extend},
			{Delivery: a, Verdict: driver.Done},
			{Delivery: b, Verdict: driver.GiveBack},
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
		mode    drivertest.Mode
		answers []error
		stored  string
	}{
		{drivertest.Sound, []error{nil, nil, nil, nil}, "abcd"},
		{drivertest.Fail, []error{nil, drivertest.ErrFailed, nil, nil}, "acd"},
		{drivertest.LoseUnstored, []error{nil, driver.ErrUnknown, nil, nil}, "acd"},
		{drivertest.LoseStored, []error{nil, driver.ErrUnknown, nil, nil}, "abcd"},
		{drivertest.KillBefore, []error{nil, drivertest.ErrKilled, drivertest.ErrKilled, drivertest.ErrKilled}, "a"},
		{drivertest.KillAfter, []error{nil, drivertest.ErrKilled, drivertest.ErrKilled, drivertest.ErrKilled}, "ab"},
	} {
		t.Run(c.mode.String(), func(t *testing.T) {
			pair := memory.New(memory.Config{})
			f := drivertest.NewFaults(pair.Store, pair.Broker, 2, c.mode)
			answers := f.Store().Write(t.Context(), []driver.Write{write("a"), write("b"), write("c")})
			answers = append(answers, f.Store().Write(t.Context(), []driver.Write{write("d")})...)
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
	schedule := driver.Message{Route: driver.Delay, ID: "b", At: time.Now().Add(time.Hour)}
	for _, c := range []struct {
		mode                 drivertest.Mode
		put, settled, remove error
		found                string
	}{
		{drivertest.Fail, drivertest.ErrFailed, drivertest.ErrFailed, drivertest.ErrFailed, "ab"},
		{drivertest.LoseUnstored, driver.ErrUnknown, nil, driver.ErrUnknown, "ab"},
		{drivertest.LoseStored, driver.ErrUnknown, nil, driver.ErrUnknown, "c"},
		{drivertest.KillBefore, drivertest.ErrKilled, drivertest.ErrKilled, drivertest.ErrKilled, "ab"},
		{drivertest.KillAfter, drivertest.ErrKilled, drivertest.ErrKilled, drivertest.ErrKilled, "c"},
	} {
		t.Run(c.mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				pair := memory.New(memory.Config{})
				pair.Broker.Put(ctx, []driver.Message{call("a"), schedule})
				broker := func() driver.Broker {
					return drivertest.NewFaults(pair.Store, pair.Broker, 1, c.mode).Broker()
				}
				process := broker()
				sub, _ := process.Subscribe(ctx)
				sub.Want(greet, 1)
				d, _ := sub.Next(ctx)
				err := process.Settle(ctx, []driver.Settlement{{Delivery: d, Verdict: driver.Done}})
				if !errors.Is(err, c.settled) {
					t.Errorf("settle: %v, want %v", err, c.settled)
				}
				if err := broker().Remove(ctx, "b"); !errors.Is(err, c.remove) {
					t.Errorf("remove: %v, want %v", err, c.remove)
				}
				if err := broker().Put(ctx, []driver.Message{call("c")})[0].Err; !errors.Is(err, c.put) {
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
		f := drivertest.NewFaults(pair.Store, pair.Broker, 1, drivertest.KillBefore)
		pair.Broker.Put(ctx, []driver.Message{call("a")})
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
		f.Store().Write(ctx, []driver.Write{write("a")})
		<-f.Killed()
		go next()
		pair.Broker.Put(ctx, []driver.Message{call("b")})
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
			f.Store().Write(ctx, []driver.Write{{Key: driver.Key{Space: driver.Workers, Name: "w"}}})[0].Err,
			f.Broker().Settle(ctx, []driver.Settlement{{Delivery: held, Verdict: driver.Extend}}),
			f.Broker().Settle(ctx, []driver.Settlement{{Delivery: held, Verdict: driver.Done}}),
		}
		for _, err := range f.Store().List(ctx, driver.Query{}) {
			errs = append(errs, err)
		}
		for _, err := range f.Broker().Pending(ctx, driver.Page{}) {
			errs = append(errs, err)
		}
		if i := slices.IndexFunc(errs, func(err error) bool { return !errors.Is(err, drivertest.ErrKilled) }); i >= 0 || len(errs) != 10 {
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
		f := drivertest.NewFaults(pair.Store, pair.Broker, 1, drivertest.KillAfter)
		pair.Broker.Put(ctx, []driver.Message{call("a")})
		sub, _ := f.Broker().Subscribe(ctx)
		sub.Want(greet, 1)
		held, _ := sub.Next(ctx)
		f.Store().Write(ctx, []driver.Write{write("a")})

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
