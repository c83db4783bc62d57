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

func timeout(d time.Duration) func(*fakeCall) {
	return func(c *fakeCall) { c.attempt.Timeout = d }
}

func TestAttemptOfAHandlerThatIgnoresItsTimeoutFailsWithoutIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 2, Mux: muxOf(func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(n) * time.Second)
			return n, nil
		})})
		lane := deferred.Lane{Queue: deferred.DefaultQueue, Name: "work"}
		c := p.source.add("work", jsonText("40"), timeout(time.Second))
		pass(2 * time.Second)
		if end := p.source.endOf(c); end != "" {
			t.Errorf("a handler that may be cleaning up: the call is %s", end)
		}
		pass(2 * time.Second)
		if o := c.outcome; p.source.endOf(c) != "settled" || o.State != deferred.Failed || !errors.Is(o.Failure, deferred.ErrTimeout) || o.Failure.Attempt != 3 || o.Retry.Never {
			t.Errorf("%s as %+v, failure %+v", p.source.endOf(c), o, o.Failure)
		}
		if line := p.log.line(t, "handler hangs"); !strings.Contains(line, "level=WARN") || !strings.Contains(line, "id=1") {
			t.Errorf("log: %q", line)
		}
		if s := p.source.worker.Status(); s != (deferred.WorkerStatus{Running: 1, Hung: 1, Performed: 1}) {
			t.Errorf("status while it hangs: %+v", s)
		}
		if n := p.source.wants[lane]; n != 1 {
			t.Errorf("%d calls are wanted for the one slot that is left", n)
		}
		other, next := p.source.add("work", jsonText("1")), p.source.add("work", jsonText("1"))
		pass(1500 * time.Millisecond)
		if p.source.endOf(other) != "settled" || p.source.endOf(next) != "" {
			t.Errorf("beside it: %q and %q", p.source.endOf(other), p.source.endOf(next))
		}
		pass(time.Minute)
		if line := p.log.line(t, "hung handler returned"); !strings.Contains(line, "id=1") {
			t.Errorf("log: %q", line)
		}
		if s := p.source.worker.Status(); s != (deferred.WorkerStatus{Performed: 3}) || p.source.wants[lane] != 2 {
			t.Errorf("when it has returned: %+v, %d calls wanted", s, p.source.wants[lane])
		}
		p.finish(t)
	})
}

func TestWhatAHandlerSaysSoonAfterItsTimeoutCounts(t *testing.T) {
	for ends, want := range map[time.Duration]deferred.State{
		59 * time.Second: deferred.Succeeded, 61 * time.Second: deferred.Succeeded, 63 * time.Second: deferred.Failed,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := start(t, &workerpool.Pool{Slots: 1, Mux: muxOf(sleeping(ends))})
			c := p.source.add("work", jsonText("1"), timeout(time.Minute))
			pass(2 * time.Minute)
			if c.outcome.State != want {
				t.Errorf("a success after %s is the outcome %+v", ends, c.outcome)
			}
			p.finish(t)
		})
	}
}

func TestHandlerThatIgnoresThatItsAttemptIsRevokedHangs(t *testing.T) {
	for cause, want := range map[error]deferred.State{
		deferred.ErrCancelled: deferred.Cancelled, deferred.ErrExpired: deferred.Expired, deferred.ErrLost: deferred.Pending,
	} {
		synctest.Test(t, func(t *testing.T) {
			p := start(t, &workerpool.Pool{Slots: 1, Mux: muxOf(sleeping(time.Hour))})
			c := p.source.add("work", jsonText("1"), func(c *fakeCall) { c.settleErr = deferred.ErrLost })
			synctest.Wait()
			c.attempt.Revoke(cause)
			pass(3 * time.Second)
			if p.source.endOf(c) != "settled" || c.outcome.State != want {
				t.Errorf("%v: %s as %q", cause, p.source.endOf(c), c.outcome.State)
			}
			if s := p.source.worker.Status(); s.Hung != 1 || s.Running != 1 {
				t.Errorf("%v: status %+v", cause, s)
			}
			if line := p.log.line(t, "handler hangs"); !strings.Contains(line, "id=1") {
				t.Errorf("log: %q", line)
			}
			p.finish(t)
			pass(2 * time.Hour)
			p.source.check(t)
		})
	}
}

func TestStoppingPoolDoesNotWaitForAHungHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 1, Grace: time.Minute, Mux: muxOf(sleeping(time.Hour))})
		c := p.source.add("work", jsonText("1"), timeout(time.Second))
		pass(5 * time.Second)
		begin := time.Now()
		p.finish(t)
		if took := time.Since(begin); took != 0 || c.outcome.State != deferred.Failed {
			t.Errorf("stopped after %s; the call has %s", took, c.outcome.State)
		}
		pass(2 * time.Hour)
		p.source.check(t)
	})
}

// The pool that stops lets it finish; its time is over all the same.
func TestTimeoutIsKeptWhileThePoolStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 1, Grace: time.Minute, Mux: muxOf(sleeping(time.Hour))})
		c := p.source.add("work", jsonText("1"), timeout(10*time.Second))
		synctest.Wait()
		begin := time.Now()
		p.finish(t)
		if took := time.Since(begin); took != 12*time.Second || c.outcome.State != deferred.Failed {
			t.Errorf("stopped after %s; the call has %q", took, c.outcome.State)
		}
		pass(2 * time.Hour)
		p.source.check(t)
	})
}
