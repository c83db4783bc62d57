package suite

import (
	"strconv"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

// An errback takes failures of its parent. That there is none is its own failure,
// and it does not run.
func errbackOfNobody(r *rig) {
	var runs atomic.Int64
	r.perform(map[string]handler{"mend": func(*deferred.Attempt) (string, error) { runs.Add(1); return `1`, nil }})
	r.must(r.queue.Open("nobody").AddErrback(r.ctx, named("mend", "errback")))
	r.must(r.queue.Open("nobody").AddBoth(r.ctx, named("mend", "both")))
	r.must(r.queue.Open("nobody").AddCallback(r.ctx, named("mend", "callback")))
	for _, id := range []deferred.ID{"errback", "both", "callback"} {
		r.failsWith(id, deferred.KindParentUnknown)
		if rec := r.record(id); rec.Skipped {
			r.Errorf("%s is said to have been skipped", id)
		}
	}
	if n := runs.Load(); n > 0 {
		r.Errorf("%d ran", n)
	}
}

// A parent that has failed because its own is unknown is there all the same.
func errbackOfAnOrphan(r *rig) {
	r.perform(map[string]handler{"mend": succeeds(`"mended"`)})
	r.must(r.queue.Open("nobody").AddCallback(r.ctx, named("mend", "orphan")))
	r.must(r.queue.Open("orphan").AddErrback(r.ctx, named("mend", "errback")))
	r.comesToBe("errback", "waits", waiting)
	r.failsWith("orphan", deferred.KindParentUnknown)
	r.gives("errback", `"mended"`)
}

// callbackOf is a callback of a promise, for which there is no worker.
func callbackOf(id, parent deferred.ID) deferred.Call {
	c := named("greet", id)
	c.Args = deferred.JSON([]byte(`"world"`))
	c.After = &deferred.After{Parent: parent, On: deferred.OnSuccess}
	return c
}

// openGate submits a promise, which waits to be settled: whoever hangs on it from
// now on finds it, and has no need to look again.
func (r *rig) openGate() {
	r.Helper()
	r.submit(gate)
	r.comesToBe("gate", "waits", waiting)
}

// A callback goes into its lane once, however often it is woken, and its record has
// its arguments no longer then.
func forwardedOnce(r *rig) {
	r.perform(nil)
	r.openGate()
	r.submit(callbackOf("callback", "gate"))
	r.comesToBe("callback", "waits", waiting)
	r.comesToBe("gate", "is waited for", func(rec *deferred.Record) bool { return rec.Attached("callback") != nil })
	r.becomesEmpty(driver.Later) // its own message would see the outcome too
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 1); err != nil {
		r.Fatal(err)
	}
	r.comesToBe("callback", "is pending", func(rec *deferred.Record) bool { return rec.State == deferred.Pending && rec.Args.IsZero() })
	for range 3 {
		r.put(driver.Message{Route: driver.Commands, Verb: "wake", ID: "callback"})
	}
	r.becomesEmpty(driver.Commands)
	if n := r.pending(driver.Ready); n != 1 {
		r.Errorf("%d messages carry the callback, want 1", n)
	}
}

// Before its time a callback does not stand in its lane: that would be before
// others, which are ready.
func forwardedToItsTime(r *rig) {
	var stood atomic.Int64
	r.queue = r.tap(tapped{stored: func(m driver.Message) {
		if m.Route == driver.Ready {
			stood.Add(1)
		}
	}})
	r.perform(nil)
	c := callbackOf("callback", "gate")
	c.NotBefore = time.Now().Add(time.Hour)
	r.openGate()
	r.submit(c)
	r.comesToBe("callback", "waits", waiting)
	r.knowsOf("gate", "callback") // and has been looked at
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 1); err != nil {
		r.Fatal(err)
	}
	r.comesToBe("callback", "is pending", func(rec *deferred.Record) bool { return rec.State == deferred.Pending })
	r.becomesEmpty(driver.Later)
	drivertest.Eventually(r.T, "one schedule carries the callback", func() bool { return r.pending(driver.Delay) == 1 })
	if n := stood.Load(); n > 0 {
		r.Errorf("%d times it stood in the lane", n)
	}
}

// The terms of a callback that waits are in its record, and go with it.
func forwardedWithItsTerms(r *rig) {
	c := callbackOf("callback", "gate")
	c.Labels = map[string]string{"k": "v"}
	c.Retries, c.Timeout, c.Keep = 3, time.Minute, 2*time.Hour
	c.BeginBy, c.Deadline = time.Now().Add(time.Hour), time.Now().Add(3*time.Hour)
	none := callbackOf("none", "gate") // without a retry
	r.perform(nil)
	r.openGate()
	r.submit(c, none)
	r.comesToBe("callback", "waits", waiting)
	r.comesToBe("none", "waits", waiting)
	before := r.record("callback")
	if err := deferred.ResolvePromise(r.ctx, r.queue, gateToken, 1); err != nil {
		r.Fatal(err)
	}
	for id, want := range map[deferred.ID]deferred.Call{"callback": c, "none": none} {
		r.comesToBe(id, "is pending", func(rec *deferred.Record) bool { return rec.State == deferred.Pending })
		r.carries(id, &want, before.Submitted)
	}
}

// carries checks the only message of a call, which stands in its lane.
func (r *rig) carries(id deferred.ID, want *deferred.Call, submitted time.Time) {
	r.Helper()
	var found []driver.Delivery
	drivertest.Eventually(r.T, "the only message of "+string(id)+" stands in its lane", func() (only bool) {
		var err error
		found, err = r.pair.Broker.Find(r.ctx, id)
		return err == nil && len(found) == 1 && found[0].Route == driver.Ready
	})
	h, at := found[0].Header, func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	retries, labels, span := "0", "", map[bool]string{true: "1m0s"}
	if want.Retries > 0 {
		retries, labels = strconv.Itoa(want.Retries), `{"k":"v"}`
	}
	wants := map[string]string{
		wire.HeaderRetries: retries, wire.HeaderLabels: labels, wire.HeaderTimeout: span[want.Timeout > 0],
		wire.HeaderBeginBy: at(want.BeginBy), wire.HeaderDeadline: at(want.Deadline),
		wire.HeaderAfter: "gate", wire.HeaderOn: "success",
	}
	for key, value := range wants {
		if h[key] != value {
			r.Errorf("%s: %s is %q, want %q", id, key, h[key], value)
		}
	}
	if got := h[wire.HeaderKeep]; (got != "") != (want.Keep > 0) {
		r.Errorf("%s is kept %q, want %v", id, got, want.Keep)
	}
	if id == "callback" && h[wire.HeaderSubmitted] != at(submitted) {
		r.Errorf("%s was submitted at %q, want %q", id, h[wire.HeaderSubmitted], at(submitted))
	}
	if string(found[0].Body) != `"world"` {
		r.Errorf("the arguments of %s are %s", id, found[0].Body)
	}
}
