package drivertest

import (
	"slices"
	"testing"
	"time"

	"zasync/pkg/dispatch/driver"
)

var leaseTests = []brokerTest{
	{"a message is held by one subscription at a time", holdsAlone},
	{"a message comes again when its holder says nothing", redeliversAfterLease},
	{"a message whose lease is extended stays with its holder", extendsLeases},
	{"a message that is given back comes again", givesBack},
	{"a message that is given back for a while does not come before", givesBackForAWhile},
	{"a message that was given back for a while does not block the others", restsAside},
	{"a message that is done is gone", removesWhenDone},
	{"one word settles many", settlesMany},
}

// holdsAlone may see a redelivery on a machine that stalls for a whole lease.
func holdsAlone(t *testing.T, b bench) {
	conclusively(t, "nobody else is given a message within its lease", func() bool {
		first := b.subscribe(5, greet)
		b.put(call(greet, "a"))
		began := time.Now()
		held := first.take()
		second := b.subscribe(5, greet)
		_, again := second.within(b.lease / 4)
		stalled := time.Since(began) >= b.lease
		if again && !stalled {
			t.Fatal("a message was delivered to two subscriptions within the lease")
		}
		b.done(held)
		_, _ = first.Close(), second.Close()
		return !again
	})
}

func redeliversAfterLease(t *testing.T, b bench) {
	first := b.subscribe(1, greet)
	b.put(call(greet, "a"))
	held := first.take()
	second := b.subscribe(1, greet)
	again := second.take()
	carries(t, again, call(greet, "a"))
	if again.Seq != held.Seq || again.Deliveries <= held.Deliveries {
		t.Fatalf("sequence %d comes the %d. time after %d the %d. time", again.Seq, again.Deliveries, held.Seq, held.Deliveries)
	}
}

// extendsLeases may lose the message on a machine that stalls between two
// extensions; it tries again then.
func extendsLeases(t *testing.T, b bench) {
	conclusively(t, "a message stays where its lease is extended", func() bool {
		first, second := b.subscribe(1, greet), b.subscribe(1)
		b.put(call(greet, "a"))
		last := time.Now()
		held := first.take()
		second.Want(greet, 1)
		kept, stalled := true, false
		for range 12 {
			_, taken := second.within(b.lease / 4)
			stalled = stalled || time.Since(last) > b.lease/2
			if kept = kept && !taken; !kept {
				break
			}
			last = time.Now()
			b.settle(driver.Settlement{Delivery: held, Verdict: driver.Extend})
		}
		if !kept && !stalled {
			t.Fatal("a message was taken away in spite of extensions")
		}
		b.done(held)
		_, _ = first.Close(), second.Close()
		return kept
	})
}

func givesBack(t *testing.T, b bench) {
	conclusively(t, "a message comes again before its lease ends", func() bool {
		first, second := b.subscribe(1, greet), b.subscribe(1)
		b.put(call(greet, "a"))
		began := time.Now()
		held := first.take()
		second.Want(greet, 1)
		b.giveBack(held, 0)
		again := second.take() // the first one still holds a credit
		if again.Seq != held.Seq || again.Deliveries <= held.Deliveries {
			t.Fatalf("sequence %d comes the %d. time after %d the %d. time", again.Seq, again.Deliveries, held.Seq, held.Deliveries)
		}
		inTime := time.Since(began) < b.lease
		b.done(again)
		_, _ = first.Close(), second.Close()
		return inTime
	})
}

func givesBackForAWhile(t *testing.T, b bench) {
	sub := b.subscribe(1, greet)
	b.put(call(greet, "a"))
	for _, after := range []time.Duration{b.lease / 2, b.lease * 3 / 2} {
		d := sub.take()
		given := time.Now()
		b.giveBack(d, after)
		sub.Release(greet, 1)
		again := sub.take()
		if waited := again.Got.Sub(given); waited < after {
			t.Fatalf("it came %v after it was given back for %v", waited, after)
		}
		b.giveBack(again, 0)
		sub.Release(greet, 1)
	}
}

func restsAside(t *testing.T, b bench) {
	sub := b.subscribe(1, greet)
	b.put(call(greet, "a"))
	b.giveBack(sub.take(), time.Hour)
	sub.Release(greet, 1)
	b.put(call(greet, "b"))
	carries(t, sub.finish(), call(greet, "b"))
	if found := b.find("a"); len(found) != 1 {
		t.Fatalf("a message that was given back is found %d times", len(found))
	}
}

func removesWhenDone(t *testing.T, b bench) {
	sub := b.subscribe(1, greet)
	b.put(call(greet, "a"))
	sub.finish()
	Eventually(t, "a message that is done is not found", func() bool { return len(b.find("a")) == 0 })
	if got := b.pending(driver.Page{Route: driver.Ready}); len(got) > 0 {
		t.Fatalf("a message that is done is pending: %v", got)
	}
	if d, ok := sub.within(b.lease * 3 / 2); ok {
		t.Fatalf("a message that was done came again: %+v", d)
	}
}

// settlesMany mixes verdicts, and words about a message that is gone.
func settlesMany(t *testing.T, b bench) {
	sub := b.subscribe(4, greet)
	b.put(call(greet, "gone"), call(greet, "done"), call(greet, "back"), call(greet, "kept"))
	gone, done, back, kept := sub.take(), sub.take(), sub.take(), sub.take()
	b.done(gone)
	Eventually(t, "a message that is done is not found", func() bool { return len(b.find("gone")) == 0 })
	b.settle(
		driver.Settlement{Delivery: gone, Verdict: driver.Done},
		driver.Settlement{Delivery: gone, Verdict: driver.GiveBack},
		driver.Settlement{Delivery: done, Verdict: driver.Done},
		driver.Settlement{Delivery: back, Verdict: driver.GiveBack, After: time.Hour},
		driver.Settlement{Delivery: kept, Verdict: driver.Extend},
	)
	sub.Release(greet, 4)
	carries(t, sub.finish(), call(greet, "kept")) // once its lease has ended
	Eventually(t, "one message is left", func() bool {
		return slices.Equal(b.pending(driver.Page{Route: driver.Ready}), []string{"back"})
	})
	b.settle()
}
