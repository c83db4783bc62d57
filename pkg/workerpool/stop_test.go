package workerpool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

func TestStoppingPoolLetsHandlersFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ctxErr error
		p := start(t, &workerpool.Pool{Slots: 1, Mux: muxOf(func(ctx context.Context, n int) (int, error) {
			time.Sleep(9 * time.Second)
			ctxErr = ctx.Err()
			return n, nil
		})})
		running := p.source.add("work", jsonText("1"))
		synctest.Wait()
		waiting := p.source.add("work", jsonText("1"))
		begin := time.Now()
		p.finish(t)
		if took := time.Since(begin); took != 9*time.Second {
			t.Errorf("stopped after %s", took)
		}
		if running.outcome.State != deferred.Succeeded || ctxErr != nil {
			t.Errorf("settled as %s, its context: %v", running.outcome.State, ctxErr)
		}
		if got := p.source.endOf(waiting); got != "" {
			t.Errorf("a call of the backlog was fetched and %s", got)
		}
	})
}

func TestHandlersAreInterruptedAfterTheGrace(t *testing.T) {
	tests := []struct {
		name   string
		result func(context.Context) error
		want   deferred.State
	}{
		{"gives up", func(ctx context.Context) error { return ctx.Err() }, deferred.Pending},
		{"gives up with the cause", func(ctx context.Context) error { return context.Cause(ctx) }, deferred.Pending},
		{"fails as a consequence", func(context.Context) error { return errTest }, deferred.Pending},
		{"retries as a consequence", func(ctx context.Context) error { return deferred.RetryAfter(time.Hour, ctx.Err()) }, deferred.Pending},
		{"fails on purpose", func(context.Context) error { return deferred.Permanent(errTest) }, deferred.Failed},
		{"snoozes", func(context.Context) error { return deferred.Snooze(time.Hour) }, deferred.Scheduled},
		{"succeeds", func(context.Context) error { return nil }, deferred.Succeeded},
		{"panics", func(context.Context) error { panic("no ink") }, deferred.Failed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cause error
				var after time.Duration
				var begin time.Time
				p := start(t, &workerpool.Pool{Grace: 3 * time.Second, Mux: muxOf(func(ctx context.Context, n int) (int, error) {
					<-ctx.Done()
					cause, after = context.Cause(ctx), time.Since(begin)
					time.Sleep(time.Second) // to clean up
					return n, tt.result(ctx)
				})})
				c := p.source.add("work", jsonText("1"))
				synctest.Wait()
				begin = time.Now()
				p.finish(t)
				if !errors.Is(cause, deferred.ErrStopping) || after != 3*time.Second {
					t.Errorf("interrupted by %v after %s", cause, after)
				}
				if p.source.endOf(c) != "settled" || c.outcome.State != tt.want {
					t.Errorf("%s as %s", p.source.endOf(c), c.outcome.State)
				}
			})
		})
	}
}

func TestNegativeGraceInterruptsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Grace: -1, Mux: muxOf(func(ctx context.Context, n int) (int, error) {
			<-ctx.Done()
			return n, ctx.Err()
		})})
		c := p.source.add("work", jsonText("1"))
		synctest.Wait()
		begin := time.Now()
		p.finish(t)
		if c.outcome.State != deferred.Pending || time.Since(begin) != 0 {
			t.Errorf("settled as %q after %s", c.outcome.State, time.Since(begin))
		}
	})
}

func TestHandlerThatIgnoresTheInterruptionIsAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 2, Grace: time.Second, Mux: muxOf(sleeping(time.Hour))})
		c := p.source.add("work", jsonText("1"))
		synctest.Wait()
		begin := time.Now()
		p.finish(t)
		if took := time.Since(begin); took < time.Second || took > 10*time.Second {
			t.Errorf("stopped after %s", took)
		}
		if got := p.source.endOf(c); got != "" {
			t.Errorf("the abandoned call was %s", got)
		}
		if line := p.log.line(t, "level=ERROR"); !strings.Contains(line, "id=1") || !strings.Contains(line, "abandoned") {
			t.Errorf("log: %q", line)
		}
		pass(2 * time.Hour)
		if got := p.source.endOf(c); got != "" {
			t.Errorf("the abandoned call was %s when its handler returned at last", got)
		}
		if line := p.log.line(t, "abandoned handler returned"); !strings.Contains(line, "id=1") {
			t.Errorf("log: %q", line)
		}
		p.source.check(t)
	})
}

func TestStoppingPoolGivesBackWhatHasNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		release := make(chan struct{})
		source.claim = func(o deferred.Offer) error {
			if o.ID == "slow" {
				<-release
			}
			return nil
		}
		p := start(t, &workerpool.Pool{Source: source, Slots: 1, Mux: muxOf(sleeping(200 * time.Millisecond))})
		running := source.add("work", jsonText("1"))
		synctest.Wait()
		source.Want(deferred.Lane{Queue: "default", Name: "work"}, 9)
		claimed := source.add("work", jsonText("1"))
		suspected := source.add("work", jsonText("1"), suspect)
		slow := source.add("work", jsonText("1"), func(c *fakeCall) { c.offer.ID = "slow" })
		synctest.Wait()
		if !claimed.claimed || suspected.claimed || slow.claimed {
			t.Fatalf("claimed: %t, %t, %t", claimed.claimed, suspected.claimed, slow.claimed)
		}
		p.stop()
		synctest.Wait()
		for _, c := range []*fakeCall{claimed, suspected} {
			if source.endOf(c) != "declined" || c.reason != "the worker is stopping" {
				t.Errorf("call %s: %q, %q", c.offer.ID, source.endOf(c), c.reason)
			}
		}
		close(release)
		p.finish(t)
		if source.endOf(slow) != "declined" || !slow.claimed {
			t.Errorf("the call whose claim was under way: %q", source.endOf(slow))
		}
		if source.endOf(running) != "settled" {
			t.Errorf("the call that ran: %q", source.endOf(running))
		}
	})
}

func TestStoppingPoolGivesBackAtOnceWhatTheFeedHasAtHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		undecided := make(chan struct{})
		p := start(t, &workerpool.Pool{
			Grace: time.Hour, Mux: muxOf(sleeping(30 * time.Minute)),
			Accept: func(o deferred.Offer) (bool, string) {
				if o.ID == "2" {
					<-undecided // a policy that takes a moment, while the pool is told to stop
				}
				return true, ""
			},
		})
		running := p.source.add("work", jsonText("1"))
		synctest.Wait()
		before := []*fakeCall{p.source.add("work", jsonText("1")), p.source.add("work", jsonText("1"), buffered), p.source.add("work", jsonText("1"), buffered)}
		synctest.Wait()
		p.stop()
		synctest.Wait()
		close(undecided)
		synctest.Wait()
		later := p.source.add("work", jsonText("1"), buffered) // it was looked at meanwhile
		synctest.Wait()
		for _, c := range append(before, later) {
			if p.source.endOf(c) != "declined" || c.reason != "the worker is stopping" {
				t.Errorf("call %s while the pool lets handlers finish: %q, %q", c.offer.ID, p.source.endOf(c), c.reason)
			}
		}
		p.finish(t)
		if p.source.endOf(running) != "settled" {
			t.Errorf("the call that ran: %q", p.source.endOf(running))
		}
	})
}

func TestCallClaimedWhileThePoolStopsIsNotPerformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		source.claim = func(deferred.Offer) error {
			time.Sleep(time.Second)
			return nil
		}
		p := start(t, &workerpool.Pool{Source: source, Mux: muxOf(func(context.Context, int) (int, error) {
			t.Error("performed")
			return 0, nil
		})})
		ordinary, suspected := source.add("work", jsonText("1")), source.add("work", jsonText("1"), suspect)
		synctest.Wait()
		p.finish(t)
		for _, c := range []*fakeCall{ordinary, suspected} {
			if source.endOf(c) != "declined" || !c.claimed || c.reason != "the worker is stopping" {
				t.Errorf("call %s: %q, claimed %t, %q", c.offer.ID, source.endOf(c), c.claimed, c.reason)
			}
		}
		if s := source.worker.Status(); s.Running != 0 {
			t.Errorf("slots are not free: %+v", s)
		}
	})
}

func TestOfferThatComesAfterTheEndIsDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		first, second := source.add("work", jsonText("1")), source.add("work", jsonText("1"))
		ctx, cancel := context.WithCancel(t.Context())
		source.next = cancel
		p := workerpool.Pool{Source: source, Mux: muxOf(sleeping(0))}
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if source.endOf(first) != "declined" || first.claimed || source.endOf(second) != "" {
			t.Errorf("first %q, claimed %t; second %q", source.endOf(first), first.claimed, source.endOf(second))
		}
		source.check(t)
	})
}

func TestStoppedPoolWantsNothingAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := start(t, &workerpool.Pool{Slots: 10, Mux: muxOf(func(_ context.Context, n int) (int, error) {
			<-release
			return n, nil
		})})
		for range 10 {
			p.source.add("work", jsonText("1"))
		}
		synctest.Wait()
		p.stop()
		synctest.Wait()
		// So many short calls would begin to be fetched ahead.
		close(release)
		p.finish(t)
		if last := p.source.wishes[len(p.source.wishes)-1]; last.n != 0 {
			t.Errorf("wishes: %v", p.source.wishes)
		}
	})
}

func TestPoolLeavesWhenItsSettlementsAreAnswered(t *testing.T) {
	for took, want := range map[time.Duration]string{4 * time.Second: "settled", time.Hour: ""} {
		synctest.Test(t, func(t *testing.T) {
			source := newSource()
			source.settle = func(deferred.ID) { time.Sleep(took) }
			p := start(t, &workerpool.Pool{Source: source, Grace: time.Second, Mux: muxOf(sleeping(0))})
			c := source.add("work", jsonText("1"))
			synctest.Wait()
			p.finish(t)
			if source.endOf(c) != want {
				t.Errorf("a call whose settlement takes %s, when the pool has left: %q", took, source.endOf(c))
			}
			pass(2 * time.Hour)
		})
	}
}
