package integration

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/memory"
	"zasync/pkg/workerpool"
)

var quiet = slog.New(slog.DiscardHandler)

func quietQueue(s driver.Store, b driver.Broker) *dispatch.Queue {
	return dispatch.New(s, b, dispatch.Config{Logger: quiet})
}

func callOf(id deferred.ID) deferred.Call {
	return deferred.Call{ID: id, Name: "greet", Args: deferred.JSON([]byte(`1`))}
}

func performing(t *testing.T, q *dispatch.Queue, h workerpool.Handler) (stop func()) {
	m := &workerpool.Mux{}
	m.Handle("greet", h)
	p := &workerpool.Pool{Source: q, Mux: m, Logger: quiet, Grace: time.Second}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.Run(ctx) })
	return func() { cancel(); wg.Wait() }
}

func TestCallWhoseBeginByPassedInABacklogIsNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		q := quietQueue(p.Store, p.Broker)
		c := callOf("a")
		c.BeginBy = time.Now().Add(30 * time.Minute)
		if _, err := q.Submit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // nobody works
		began := false
		stop := performing(t, quietQueue(p.Store, p.Broker), func(context.Context, deferred.Content) (deferred.Content, error) {
			began = true
			return deferred.Content{}, nil
		})
		defer stop()
		r, err := q.Await(t.Context(), "a")
		if err != nil || r.State != deferred.Expired || began {
			t.Errorf("begun %v half an hour after its begin-by; %s settled %v, now %v", began, r.State, r.Settled, time.Now())
		}
	})
}

func TestRetryOfAnOldCallIsNotEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		q := quietQueue(p.Store, p.Broker)
		if _, err := q.Submit(t.Context(), callOf("a")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // nobody works
		var at []time.Time
		stop := performing(t, quietQueue(p.Store, p.Broker), func(context.Context, deferred.Content) (deferred.Content, error) {
			at = append(at, time.Now())
			if len(at) == 1 {
				return deferred.Content{}, deferred.RetryAfter(10*time.Minute, errors.New("no"))
			}
			return deferred.Content{}, nil
		})
		defer stop()
		_, _ = q.Await(t.Context(), "a")
		if d := at[1].Sub(at[0]); d < 10*time.Minute {
			t.Errorf("retried after %v, want 10m", d)
		}
	})
}

func TestCallbackWaitsForAParentThatIsScheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		q := quietQueue(p.Store, p.Broker)
		parent := callOf("parent")
		parent.Delay = time.Hour
		late := callOf("late")
		late.After = &deferred.After{Parent: "parent", On: deferred.OnSuccess}
		if _, err := q.Submit(t.Context(), parent, late); err != nil {
			t.Fatal(err)
		}
		stop := performing(t, quietQueue(p.Store, p.Broker), func(context.Context, deferred.Content) (deferred.Content, error) {
			return deferred.Content{}, nil
		})
		defer stop()
		r, err := q.Await(t.Context(), "late")
		if err != nil || r.State != deferred.Succeeded {
			t.Errorf("%s %v after %v", r.State, r.Failure, r.Settled.Sub(r.Submitted))
		}
	})
}

func TestDelayedCallbackOutlivesItsParentsRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		q := quietQueue(p.Store, p.Broker)
		stop := performing(t, quietQueue(p.Store, p.Broker), func(context.Context, deferred.Content) (deferred.Content, error) {
			return deferred.Content{}, nil
		})
		defer stop()
		late := callOf("late")
		late.Delay = 2 * time.Hour
		late.After = &deferred.After{Parent: "parent", On: deferred.OnSuccess}
		if _, err := q.Submit(t.Context(), callOf("parent"), late); err != nil {
			t.Fatal(err)
		}
		r, err := q.Await(t.Context(), "late")
		if err != nil || r.State != deferred.Succeeded {
			t.Errorf("%s %v after %v", r.State, r.Failure, r.Settled.Sub(r.Submitted))
		}
	})
}

func TestCallbackIsRetriedBeyondItsParentsRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := memory.New(memory.Config{})
		q := quietQueue(p.Store, p.Broker)
		n := 0
		stop := performing(t, quietQueue(p.Store, p.Broker), func(ctx context.Context, _ deferred.Content) (deferred.Content, error) {
			if a := deferred.AttemptFrom(ctx); a.ID == "late" {
				if n++; n < 3 {
					return deferred.Content{}, deferred.RetryAfter(40*time.Minute, errors.New("no"))
				}
			}
			return deferred.Content{}, nil
		})
		defer stop()
		late := callOf("late")
		late.After = &deferred.After{Parent: "parent", On: deferred.OnSuccess}
		if _, err := q.Submit(t.Context(), callOf("parent"), late); err != nil {
			t.Fatal(err)
		}
		r, err := q.Await(t.Context(), "late")
		if err != nil || r.State != deferred.Succeeded {
			t.Errorf("%s %v after attempt %d, %v", r.State, r.Failure, n, r.Settled.Sub(r.Submitted))
		}
	})
}
