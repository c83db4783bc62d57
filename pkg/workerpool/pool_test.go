package workerpool_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// muxOf has fn as the handler of work.
func muxOf(fn func(context.Context, int) (int, error)) *workerpool.Mux {
	var m workerpool.Mux
	workerpool.Register(&m, work, fn)
	return &m
}

func sleeping(d time.Duration) func(context.Context, int) (int, error) {
	return func(_ context.Context, n int) (int, error) {
		time.Sleep(d)
		return n, nil
	}
}

func TestPoolIntroducesItselfAndServesEveryNameInEveryQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := muxOf(sleeping(time.Second))
		workerpool.Register(m, greet, func(_ context.Context, s string) (string, error) { return s, nil })
		p := start(t, &workerpool.Pool{Mux: m, Name: "mill", Slots: 4, Queues: []string{"urgent", "default"}})
		p.source.add("work", jsonText("1"))
		synctest.Wait()
		w := p.source.worker
		if w.Name != "mill" || w.Slots != 4 {
			t.Errorf("joined as %q with %d slots", w.Name, w.Slots)
		}
		want := []deferred.Lane{{Queue: "urgent", Name: "greet"}, {Queue: "urgent", Name: "work"}, {Queue: "default", Name: "greet"}, {Queue: "default", Name: "work"}}
		if d := cmp.Diff(want, w.Lanes); d != "" {
			t.Errorf("lanes: %s", d)
		}
		for _, l := range want {
			if n := p.source.wants[l]; n != 4 {
				t.Errorf("%d calls wanted of %v, not one for each slot", n, l)
			}
		}
		if s := w.Status(); s != (deferred.WorkerStatus{Running: 1}) {
			t.Errorf("status of a busy worker: %+v", s)
		}
		pass(2 * time.Second)
		if s := w.Status(); s != (deferred.WorkerStatus{Performed: 1}) {
			t.Errorf("status of an idle worker: %+v", s)
		}
		p.finish(t)
	})
}

func TestHostNamesTheWorkerThatHasNoName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		pool := workerpool.Pool{Source: source, Mux: muxOf(sleeping(0))}
		if err := pool.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if source.worker.Name == "" || source.worker.Slots != workerpool.DefaultSlots {
			t.Errorf("joined as %q with %d slots", source.worker.Name, source.worker.Slots)
		}
	})
}

func TestHandlerIsGivenTheCallAndItsResultIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var attempt *deferred.Attempt
		var value any
		p := &workerpool.Pool{Mux: muxOf(func(ctx context.Context, n int) (int, error) {
			attempt, value = deferred.AttemptFrom(ctx), ctx.Value(key{})
			return 2 * n, nil
		})}
		source := newSource()
		p.Source = source
		c := source.add("work", jsonText("21"))
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "from outside"), time.Minute)
		defer cancel()
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if attempt != c.attempt || value != "from outside" {
			t.Errorf("the handler's context has attempt %p (not %p) and value %v", attempt, c.attempt, value)
		}
		want := deferred.Outcome{State: deferred.Succeeded, Result: jsonText("42")}
		if d := cmp.Diff(want, c.outcome, contents); d != "" || source.endOf(c) != "settled" {
			t.Errorf("%s: %s", source.endOf(c), d)
		}
		source.check(t)
	})
}

func TestDeclinedCallIsNotClaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Mux: muxOf(sleeping(0)), Accept: func(o deferred.Offer) (bool, string) {
			switch o.Size {
			case 1:
				return true, "ignored"
			case 2:
				return false, "too large for this machine"
			case 3:
				return false, ""
			}
			panic("four")
		}})
		for args, reason := range map[string]string{
			"22":   "too large for this machine",
			"333":  "the worker's policy declined it",
			"4444": "the worker's policy panicked",
		} {
			c := p.source.add("work", jsonText(args))
			synctest.Wait()
			if p.source.endOf(c) != "declined" || c.claimed || c.reason != reason {
				t.Errorf("call of %d bytes: %s, claimed %t, %q", len(args), p.source.endOf(c), c.claimed, c.reason)
			}
		}
		taken := p.source.add("work", jsonText("1"))
		synctest.Wait()
		if p.source.endOf(taken) != "settled" {
			t.Errorf("accepted call: %s", p.source.endOf(taken))
		}
		if line := p.log.line(t, "level=ERROR"); !strings.Contains(line, "err=four") {
			t.Errorf("log of the panic: %q", line)
		}
		p.finish(t)
	})
}

func TestCallWithoutHandlerIsDeclined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Mux: muxOf(sleeping(0))})
		c := p.source.add("unheard-of", jsonText("1"))
		synctest.Wait()
		if p.source.endOf(c) != "declined" || c.claimed {
			t.Errorf("%s, claimed %t", p.source.endOf(c), c.claimed)
		}
		p.finish(t)
	})
}

func TestCallTakenBySomebodyElseIsNotPerformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := newSource()
		source.claim = func(o deferred.Offer) error {
			return map[deferred.ID]error{"1": deferred.ErrTaken, "2": errTest}[o.ID]
		}
		var performed atomic.Int64
		p := start(t, &workerpool.Pool{Source: source, Slots: 1, Mux: muxOf(func(_ context.Context, n int) (int, error) {
			performed.Add(int64(n))
			return n, nil
		})})
		p.source.add("work", jsonText("1"))
		p.source.add("work", jsonText("10"), suspect)
		p.source.add("work", jsonText("100"))
		synctest.Wait()
		if n := performed.Load(); n != 100 {
			t.Errorf("the performed calls sum up to %d", n)
		}
		if line := p.log.line(t, "id=2"); !strings.Contains(line, "level=DEBUG") || !strings.Contains(line, errTest.Error()) {
			t.Errorf("log of the failed claim: %q", line)
		}
		p.finish(t)
	})
}

func TestHandlersNeverExceedSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		p := start(t, &workerpool.Pool{Slots: 3, Mux: muxOf(func(_ context.Context, n int) (int, error) {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Duration(n) * time.Microsecond)
			now.Add(-1)
			return n, nil
		})})
		for i := range 500 {
			p.source.add("work", jsonText("1"+strings.Repeat("0", i%4)))
		}
		pass(time.Minute)
		p.finish(t)
		if most.Load() != 3 {
			t.Errorf("%d handlers ran at once in 3 slots", most.Load())
		}
		if s := p.source.worker.Status(); s.Performed != 500 {
			t.Errorf("%d of 500 performed", s.Performed)
		}
	})
}

func TestRunningListsWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Mux: muxOf(sleeping(10 * time.Second))})
		synctest.Wait()
		if list := p.Running(); list != nil {
			t.Errorf("an idle pool runs %v", list)
		}
		first := time.Now()
		p.source.add("work", jsonText("1"))
		pass(time.Second)
		p.source.add("work", jsonText("1"))
		synctest.Wait()
		lane := deferred.Lane{Queue: "default", Name: "work"}
		want := []workerpool.Running{
			{ID: "1", Lane: lane, Attempt: 3, Since: first},
			{ID: "2", Lane: lane, Attempt: 3, Since: first.Add(time.Second)},
		}
		if d := cmp.Diff(want, p.Running()); d != "" {
			t.Error(d)
		}
		pass(time.Minute)
		if list := p.Running(); list != nil {
			t.Errorf("a pool that has done its work runs %v", list)
		}
		p.finish(t)
		if list := p.Running(); list != nil {
			t.Errorf("a stopped pool runs %v", list)
		}
	})
}

func TestPoolRefusesToRunWithoutWhatItNeeds(t *testing.T) {
	good := muxOf(sleeping(0))
	tests := map[string]*workerpool.Pool{
		"no source":                {Mux: good},
		"no handlers":              {Source: newSource()},
		"no handlers;":             {Source: newSource(), Mux: &workerpool.Mux{}},
		"-1 slots":                 {Source: newSource(), Mux: good, Slots: -1},
		`queue "a.b" must be`:      {Source: newSource(), Mux: good, Queues: []string{"a.b"}},
		`queue "a" is named twice`: {Source: newSource(), Mux: good, Queues: []string{"a", "b", "a"}},
		"join: out of paper":       {Source: &fakeSource{joinErr: errTest}, Mux: good},
	}
	for text, p := range tests {
		err := p.Run(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "workerpool: ") || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestPoolRunsOnceAtATimeAndAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Mux: muxOf(sleeping(0))})
		synctest.Wait()
		if err := p.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "runs already") {
			t.Errorf("second run beside the first: %v", err)
		}
		p.finish(t)
		p.Source = newSource()
		again := start(t, p.Pool)
		c := again.source.add("work", jsonText("1"))
		synctest.Wait()
		if again.source.endOf(c) != "settled" {
			t.Errorf("call of the second run: %q", again.source.endOf(c))
		}
		again.finish(t)
	})
}

func TestRunReturnsWhyTheFeedFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errLeave := errors.New("nobody hears")
		source := newSource()
		source.leaveErr = errLeave
		p := start(t, &workerpool.Pool{Source: source, Mux: muxOf(sleeping(time.Second))})
		c := source.add("work", jsonText("1"))
		synctest.Wait()
		source.fail(errTest)
		err := <-p.done
		if !errors.Is(err, errTest) || !errors.Is(err, errLeave) || !strings.HasPrefix(err.Error(), "workerpool: ") {
			t.Errorf("Run: %v", err)
		}
		if source.endOf(c) != "settled" {
			t.Errorf("the call that ran: %q", source.endOf(c))
		}
		source.check(t)
		p.stop()
	})
}
