package workerpool_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

func TestShortCallsAreClaimedAheadOfSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 2, Mux: muxOf(sleeping(time.Millisecond))})
		for range 500 {
			p.source.add("work", jsonText("1"))
		}
		pass(time.Minute)
		p.finish(t)
		// Two slots consume 20 calls of a millisecond in 10 ms.
		if got := p.source.maxHeld; got < 12 || got > 22 {
			t.Errorf("%d calls held at once, not about 20 beyond the 2 slots", got)
		}
		if n := len(p.source.wishes); n > 12 {
			t.Errorf("500 calls of the same length made the pool change its wish %d times: %v", n, p.source.wishes)
		}
		for _, c := range p.source.calls {
			if p.source.endOf(c) != "settled" {
				t.Fatalf("call %s: %s, %q", c.offer.ID, p.source.endOf(c), c.reason)
			}
		}
	})
}

func TestPrefetchHasACeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 50, Mux: muxOf(sleeping(time.Microsecond))})
		for range 5000 {
			p.source.add("work", jsonText("1"))
		}
		pass(time.Minute)
		p.finish(t)
		if got := p.source.maxHeld; got != 150 {
			t.Errorf("%d calls held at once, not 100 beyond the 50 slots", got)
		}
	})
}

func TestLongCallsAreNotClaimedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 2, Mux: muxOf(sleeping(6 * time.Millisecond))})
		for range 200 {
			p.source.add("work", jsonText("1"))
		}
		pass(time.Minute)
		p.finish(t)
		lane := deferred.Lane{Queue: "default", Name: "work"}
		if d := cmp.Diff([]wish{{lane, 2}, {lane, 0}}, p.source.wishes, cmp.AllowUnexported(wish{})); d != "" {
			t.Errorf("wishes: %s", d)
		}
		if p.source.maxHeld != 2 {
			t.Errorf("%d calls held in 2 slots", p.source.maxHeld)
		}
	})
}

func TestCallsNearTheBoundDoNotTurnPrefetchOnAndOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 2, Mux: muxOf(func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(n) * time.Millisecond)
			return n, nil
		})})
		add := func(n int, args ...string) {
			for i := range n {
				p.source.add("work", jsonText(args[i%len(args)]))
			}
			pass(time.Minute)
		}
		add(200, "4", "5")
		if n := len(p.source.wishes); n != 1 {
			t.Errorf("long calls that become a little shorter: %v", p.source.wishes)
		}
		add(200, "1")
		n := len(p.source.wishes)
		add(200, "4", "5")
		for _, w := range p.source.wishes[n:] {
			if w.n == 2 {
				t.Errorf("short calls that become a little longer: %v", p.source.wishes)
			}
		}
		p.finish(t)
	})
}

func TestCallsClaimedAheadAreGivenBackWhenTheSlotsTurnOutBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 2, Mux: muxOf(func(_ context.Context, n int) (int, error) {
			time.Sleep(time.Duration(n) * time.Millisecond)
			return n, nil
		})})
		for range 100 {
			p.source.add("work", jsonText("1"))
		}
		for range 40 {
			p.source.add("work", jsonText("60000"))
		}
		pass(time.Second)
		lane := deferred.Lane{Queue: "default", Name: "work"}
		if n := p.source.wants[lane]; n != 2 {
			t.Errorf("%d calls wanted while both slots have long ones", n)
		}
		if p.source.held != 2 {
			t.Errorf("%d calls held while 2 run", p.source.held)
		}
		declined := 0
		for _, c := range p.source.calls {
			if p.source.endOf(c) == "declined" && c.claimed && c.reason == "no slot has become free here" {
				declined++
			}
		}
		if declined == 0 {
			t.Error("no claimed call was given back")
		}
		pass(time.Hour)
		p.finish(t)
	})
}

func TestCallThatWaitedForItsSlotIsConfirmedBeforeItStarts(t *testing.T) {
	for name, test := range map[string]struct {
		waits     time.Duration
		confirm   func(a *deferred.Attempt) error
		performed int
		end       string
		state     deferred.State
	}{
		"good still":        {80 * time.Millisecond, func(*deferred.Attempt) error { return nil }, 1, "settled", deferred.Succeeded},
		"cancelled":         {80 * time.Millisecond, func(a *deferred.Attempt) error { a.Revoke(deferred.ErrCancelled); return nil }, 0, "settled", deferred.Cancelled},
		"not known":         {80 * time.Millisecond, func(*deferred.Attempt) error { return errTest }, 0, "declined", ""},
		"had a slot soon":   {5 * time.Millisecond, func(*deferred.Attempt) error { return errTest }, 1, "settled", deferred.Succeeded},
		"cancelled, unread": {80 * time.Millisecond, func(a *deferred.Attempt) error { a.Revoke(deferred.ErrCancelled); return errTest }, 0, "settled", deferred.Cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				performed := 0
				p := start(t, &workerpool.Pool{Slots: 1, Mux: muxOf(func(_ context.Context, n int) (int, error) {
					performed += n
					if n == 0 {
						time.Sleep(test.waits)
					}
					return n, nil
				})})
				p.source.add("work", jsonText("0"))
				synctest.Wait()
				c := p.source.add("work", jsonText("1"), buffered, func(c *fakeCall) {
					c.attempt.Confirm = func(context.Context) error { return test.confirm(c.attempt) }
				})
				pass(100 * time.Millisecond)
				if performed != test.performed || p.source.endOf(c) != test.end || c.outcome.State != test.state {
					t.Errorf("performed %d times, %s as %q", performed, p.source.endOf(c), c.outcome.State)
				}
				if s := p.source.worker.Status(); s.Running != 0 {
					t.Errorf("the slot is not free: %+v", s)
				}
				p.finish(t)
			})
		})
	}
}

func TestSuspectIsClaimedOnlyForAFreeSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 1, Mux: muxOf(sleeping(100 * time.Millisecond))})
		p.source.add("work", jsonText("1"))
		synctest.Wait()
		// A feed that offers more than is wanted.
		p.source.Want(deferred.Lane{Queue: "default", Name: "work"}, 9)
		c := p.source.add("work", jsonText("1"), suspect)
		synctest.Wait()
		if c.claimed || p.source.endOf(c) != "" {
			t.Errorf("with no slot free: claimed %t, %q", c.claimed, p.source.endOf(c))
		}
		pass(101 * time.Millisecond)
		if !c.claimed {
			t.Error("not claimed though the slot is free")
		}
		late := p.source.add("work", jsonText("1"))
		synctest.Wait()
		second := p.source.add("work", jsonText("1"), suspect)
		synctest.Wait()
		if p.source.endOf(second) != "declined" || second.claimed {
			t.Errorf("a second suspect beside the first: %q, claimed %t", p.source.endOf(second), second.claimed)
		}
		pass(time.Second)
		third := p.source.add("work", jsonText("1"), suspect)
		pass(time.Second)
		for _, c := range []*fakeCall{c, late, third} {
			if p.source.endOf(c) != "settled" {
				t.Errorf("call %s: %q", c.offer.ID, p.source.endOf(c))
			}
		}
		p.finish(t)
	})
}

// A fleet that was restarted twice has nothing but suspects.
func TestSuspectThatRunsForLongLetsAnotherRunBesideIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 3, Mux: muxOf(sleeping(time.Minute))})
		first := p.source.add("work", jsonText("1"), suspect)
		pass(31 * time.Second)
		second := p.source.add("work", jsonText("1"), suspect)
		synctest.Wait()
		third := p.source.add("work", jsonText("1"), suspect)
		synctest.Wait()
		if !second.claimed || third.claimed {
			t.Errorf("the second, after half a minute: %t; the third, right then: %t", second.claimed, third.claimed)
		}
		pass(29*time.Second + time.Second/2) // the first has ended, and the second runs alone still
		early := p.source.add("work", jsonText("1"), suspect)
		pass(time.Second)
		fourth := p.source.add("work", jsonText("1"), suspect)
		pass(time.Second)
		fifth := p.source.add("work", jsonText("1"), suspect)
		pass(time.Minute)
		for c, want := range map[*fakeCall]string{first: "settled", second: "settled", third: "declined", early: "declined", fourth: "settled", fifth: "declined"} {
			if got := p.source.endOf(c); got != want {
				t.Errorf("call %s: %q, want %q", c.offer.ID, got, want)
			}
		}
		p.finish(t)
	})
}

func TestSuspectThatWaitsTooLongForASlotIsDeclinedUnclaimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := start(t, &workerpool.Pool{Slots: 1, Mux: muxOf(sleeping(time.Minute))})
		p.source.add("work", jsonText("1"))
		synctest.Wait()
		p.source.Want(deferred.Lane{Queue: "default", Name: "work"}, 9)
		c := p.source.add("work", jsonText("1"), suspect)
		pass(time.Second)
		if p.source.endOf(c) != "declined" || c.claimed {
			t.Errorf("%q, claimed %t", p.source.endOf(c), c.claimed)
		}
		pass(time.Minute)
		p.finish(t)
	})
}

func TestLanesDoNotChangeOneAnothersPrefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := muxOf(sleeping(time.Millisecond))
		workerpool.Register(m, greet, func(_ context.Context, s string) (string, error) {
			time.Sleep(20 * time.Millisecond)
			return s, nil
		})
		p := start(t, &workerpool.Pool{Slots: 2, Mux: m})
		for range 100 {
			p.source.add("work", jsonText("1"))
			p.source.add("greet", jsonText(`"you"`))
		}
		pass(time.Minute)
		p.finish(t)
		ahead := func(name string) bool {
			return slices.ContainsFunc(p.source.wishes, func(w wish) bool { return w.lane.Name == name && w.n > 2 })
		}
		if !ahead("work") || ahead("greet") {
			t.Errorf("wishes: %v", p.source.wishes)
		}
	})
}
