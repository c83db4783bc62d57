package workerpool_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// plan is what one call of a random run does.
type plan struct {
	Pause, Revoke      time.Duration // before it comes; after that, 0 for never
	Claim, Run, Settle time.Duration // how long each takes
	Timeout            time.Duration // 0 is none
	Ending             string
	Suspect, Refused   bool
	Taken              bool
}

var endings = []string{"success", "error", "permanent", "snooze", "panic", "goexit", "obedient", "deaf", "bad arguments"}

func drawPlan(t *rapid.T) plan {
	durations := rapid.SampledFrom([]time.Duration{0, time.Microsecond, time.Millisecond, 20 * time.Millisecond, 300 * time.Millisecond, 3 * time.Second, 15 * time.Second})
	return plan{
		Pause:   rapid.SampledFrom([]time.Duration{0, 0, 0, time.Millisecond, 50 * time.Millisecond}).Draw(t, "pause"),
		Claim:   rapid.SampledFrom([]time.Duration{0, time.Millisecond, 30 * time.Millisecond}).Draw(t, "claim"),
		Run:     durations.Draw(t, "run"),
		Timeout: rapid.SampledFrom([]time.Duration{0, 0, 0, time.Millisecond, time.Second}).Draw(t, "timeout"),
		Revoke:  rapid.SampledFrom([]time.Duration{0, 0, 0, time.Millisecond, time.Second}).Draw(t, "revoke"),
		Settle:  rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, 4 * time.Second}).Draw(t, "settle"),
		Ending:  rapid.SampledFrom(endings).Draw(t, "ending"),
		Suspect: rapid.IntRange(0, 9).Draw(t, "suspect") == 0,
		Refused: rapid.IntRange(0, 9).Draw(t, "refused") == 0,
		Taken:   rapid.IntRange(0, 9).Draw(t, "taken") == 0,
	}
}

// carryOut is the handler of plans.
func carryOut(ctx context.Context, p plan) error {
	if p.Ending == "obedient" {
		select {
		case <-time.After(p.Run):
		case <-ctx.Done():
			return ctx.Err()
		}
	} else {
		time.Sleep(p.Run)
	}
	switch p.Ending {
	case "error":
		return errTest
	case "permanent":
		return deferred.Permanent(errTest)
	case "snooze":
		return deferred.Snooze(time.Second)
	case "panic":
		panic("no ink")
	case "goexit":
		runtime.Goexit()
	}
	return nil
}

func TestEveryOfferEndsExactlyOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := randomRun{
			plans:  rapid.SliceOfN(rapid.Custom(drawPlan), 1, 60).Draw(rt, "plans"),
			slots:  rapid.IntRange(1, 5).Draw(rt, "slots"),
			stop:   rapid.SampledFrom([]time.Duration{0, time.Millisecond, 100 * time.Millisecond, 10 * time.Second, time.Hour}).Draw(rt, "stop"),
			grace:  rapid.SampledFrom([]time.Duration{-1, 10 * time.Millisecond, time.Second, time.Minute}).Draw(rt, "grace"),
			number: map[deferred.ID]int{},
		}
		var problem error
		synctest.Test(t, func(t *testing.T) { problem = r.carryOut(t) })
		if problem != nil {
			rt.Fatal(problem)
		}
	})
}

type randomRun struct {
	plans       []plan
	slots       int
	stop, grace time.Duration
	number      map[deferred.ID]int // of the plan of a call
	busy, most  atomic.Int64
	suspects    atomic.Int64 // that run at once, and the most of them
	mostSuspect atomic.Int64
}

func (r *randomRun) handler(ctx context.Context, i int) (string, error) {
	p := r.plans[i]
	r.most.Store(max(r.most.Load(), r.busy.Add(1)))
	defer r.busy.Add(-1)
	if p.Suspect {
		r.mostSuspect.Store(max(r.mostSuspect.Load(), r.suspects.Add(1)))
		defer r.suspects.Add(-1)
	}
	return p.Ending, carryOut(ctx, p)
}

func (r *randomRun) carryOut(t *testing.T) error {
	t.Helper()
	var m workerpool.Mux
	if err := m.Function("work", r.handler); err != nil {
		return err
	}
	source := newSource()
	for i := range r.plans {
		r.number[deferred.ID(fmt.Sprint(i+1))] = i
	}
	source.claim = func(o deferred.Offer) error {
		p := r.plans[r.number[o.ID]]
		time.Sleep(p.Claim)
		if p.Taken {
			return deferred.ErrTaken
		}
		return nil
	}
	source.settle = func(id deferred.ID) { time.Sleep(r.plans[r.number[id]].Settle) }
	p := start(t, &workerpool.Pool{
		Source: source, Mux: &m, Slots: r.slots, Grace: r.grace,
		Accept: func(o deferred.Offer) (bool, string) { return !r.plans[r.number[o.ID]].Refused, "refused" },
	})
	go r.feed(source)
	time.Sleep(r.stop)
	p.stop()
	if err := <-p.done; err != nil {
		return err
	}
	time.Sleep(time.Hour) // for what was abandoned
	synctest.Wait()
	return r.audit(source)
}

// feed brings the calls, and revokes some.
func (r *randomRun) feed(source *fakeSource) {
	for i, p := range r.plans {
		time.Sleep(p.Pause)
		args := jsonText(fmt.Sprint(i))
		if p.Ending == "bad arguments" {
			args = jsonText(`"x"`)
		}
		c := source.add("work", args, func(c *fakeCall) { c.offer.Suspect, c.attempt.Timeout = p.Suspect, p.Timeout })
		if p.Revoke > 0 {
			time.AfterFunc(p.Revoke, func() { c.attempt.Revoke(deferred.ErrCancelled) })
		}
	}
}

func (r *randomRun) audit(source *fakeSource) error {
	source.mu.Lock()
	defer source.mu.Unlock()
	if len(source.mistakes) > 0 {
		return fmt.Errorf("mistakes: %q", source.mistakes)
	}
	if n := r.most.Load(); n > int64(r.slots) {
		return fmt.Errorf("%d handlers ran in %d slots", n, r.slots)
	}
	if s := source.worker.Status(); s.Hung != 0 {
		return fmt.Errorf("handlers count as hung that have returned: %+v", s)
	}
	if n := r.mostSuspect.Load(); n > 1 {
		return fmt.Errorf("%d suspects ran at once", n)
	}
	backlog := map[deferred.ID]bool{}
	for _, c := range source.waiting {
		backlog[c.offer.ID] = true
	}
	abandoned := 0
	for id, c := range source.calls {
		p := r.plans[r.number[id]]
		switch {
		case len(c.ends) == 1 && c.ends[0] == "settled" && c.outcome.State == "":
			return fmt.Errorf("call %s settled with no state", id)
		case len(c.ends) == 1 || len(c.ends) == 0 && backlog[id]:
		case len(c.ends) == 0 && p.Run > max(r.grace, 0) && p.Ending != "obedient":
			abandoned++
		default:
			return fmt.Errorf("call %s ended as %v: %+v", id, c.ends, p)
		}
	}
	if source.held != abandoned {
		return fmt.Errorf("%d calls held after all, %d of them abandoned", source.held, abandoned)
	}
	return nil
}
