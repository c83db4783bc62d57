package suite

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

// extremes are values that a client may write into a header of a time, a duration or
// a number.
var extremes = []string{
	"", "x", "-1", "0", "9223372036854775807", "99999999999999999999",
	"-1ns", "0s", "1ns", "87600h", "87600h1ns", "2562047h47m16.854775807s", "-2562047h47m16.854775808s", "1000000000h",
	"0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2200-12-31T23:59:59.999999999Z", "2201-01-01T00:00:00Z",
	"2200-12-31T23:59:59-12:00", "2201-01-01T01:00:00+12:00", "9999-12-31T23:59:59Z",
}

// extremeHeaders sends each header with each value by each way, beside terms that make
// the call wait: it settles, is set aside, or is parked once and for a time that there
// is. Nothing comes again and again. Over a server every seventh is sent.
func extremeHeaders(r *rig) { r.extremeHeaders(7) }

func allExtremeHeaders(r *rig) { r.extremeHeaders(1) }

func (r *rig) extremeHeaders(every int) {
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	keys := []string{
		wire.HeaderSubmitted, wire.HeaderDue, wire.HeaderNotBefore, wire.HeaderDelay, wire.HeaderBeginBy,
		wire.HeaderDeadline, wire.HeaderTimeout, wire.HeaderKeep, wire.HeaderRetries, wire.HeaderWake,
	}
	beside := []map[string]string{
		nil, {wire.HeaderAfter: "never-seen"}, {wire.HeaderJoin: "all"}, {wire.HeaderDelay: "87600h"},
	}
	n := 0
	for _, key := range keys {
		for _, value := range extremes {
			for _, with := range beside {
				for _, route := range []driver.Route{driver.Ready, driver.Later} {
					if n++; n%every != 0 {
						continue
					}
					m := hostile(route, deferred.ID(fmt.Sprint("x-", n)), "", "")
					m.Header = map[string]string{}
					maps.Copy(m.Header, with)
					m.Header[key] = value
					if m.Header[wire.HeaderJoin] != "" {
						m.Body = []byte(`["never-seen"]`)
					}
					r.put(m)
				}
			}
		}
	}
	r.comesToRest()
}

// comesToRest waits until no message is left that comes again.
func (r *rig) comesToRest() {
	r.Helper()
	r.nothingLeft()
	for d, err := range r.pair.Broker.Pending(r.ctx, driver.Page{Route: driver.Delay}) {
		if err != nil {
			r.Fatal(err)
		}
		if d.At.Year() > 2200 {
			r.Errorf("%s is parked until %v", d.ID, d.At)
		}
	}
}

func extremeWaits(r *rig) {
	h := r.join(r.queue, "greet")
	waits := []error{
		deferred.Snooze(math.MaxInt64), deferred.Snooze(math.MinInt64), deferred.RetryAfter(math.MaxInt64, errors.New("later")),
	}
	for i := range waits {
		r.submit(deferred.Call{Name: "greet", ID: deferred.ID(fmt.Sprint("w-", i))})
	}
	latest := time.Now().Add(deferred.MaxDelay + time.Hour)
	for range waits {
		a := h.claim()
		h.fail(a, waits[a.ID[2]-'0'])
	}
	for _, id := range []deferred.ID{"w-0", "w-2"} {
		r.comesToBe(id, "is scheduled", func(rec *deferred.Record) bool { return rec.State == deferred.Scheduled })
		if rec := r.record(id); rec.NotBefore.After(latest) {
			r.Errorf("%s waits until %v", id, rec.NotBefore)
		}
	}
	h.succeed(h.claim())
	r.comesToRest()
}

func extremeSchedules(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	far := hostile(driver.Delay, "far", wire.HeaderDue, "2200-01-01T00:00:00Z")
	odd := hostile(driver.Delay, "odd", wire.HeaderWake, "no id!")
	unreadable := hostile(driver.Delay, "unreadable", wire.HeaderDue, strings.Repeat("x", 1000))
	for _, m := range []driver.Message{odd, unreadable} {
		r.put(m)
	}
	drivertest.Eventually(r.T, "both are set aside", func() bool { return len(r.aside()) == 2 })
	r.nothingLeft()
	r.put(far)
	r.gives("far", `1`)
}

func submittedInTheFuture(r *rig) {
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	began := time.Now()
	r.put(hostile(driver.Ready, "a", wire.HeaderSubmitted, "2200-12-31T23:59:00Z"))
	r.put(hostile(driver.Ready, "b", wire.HeaderSubmitted, "1970-01-01T00:00:00Z"))
	for _, id := range []deferred.ID{"a", "b"} {
		r.gives(id, `1`)
		rec := r.record(id)
		if rec.Submitted.Before(began.Add(-deferred.MaxDelay-time.Hour)) || rec.Submitted.After(time.Now().Add(time.Hour)) {
			r.Errorf("%s was submitted at %v", id, rec.Submitted)
		}
	}
	m := hostile(driver.Later, "late", wire.HeaderAfter, "never-seen")
	m.Header[wire.HeaderSubmitted] = "2200-12-31T23:59:00Z"
	r.put(m)
	r.failsWith("late", deferred.KindParentUnknown)
}

func asciiHeaders(r *rig) {
	var mu sync.Mutex
	var stored []driver.Message
	r.queue = r.tap(tapped{stored: func(m driver.Message) {
		mu.Lock()
		defer mu.Unlock()
		stored = append(stored, m)
	}})
	h := r.join(r.queue, "greet")
	kinds := []string{"zu spät", "遅い", "🐌", "<&>"}
	c := named("greet", "a")
	c.Labels = map[string]string{"city": "Zürich <&> 東京 🗻"}
	c.Callbacks = []deferred.Callback{{On: deferred.OnFailure, Kinds: kinds, Call: deferred.Call{Name: "mend", Labels: c.Labels}}}
	late := named("greet", "late")
	late.After = &deferred.After{Parent: "a", On: deferred.OnFailure, Kinds: kinds}
	r.submit(c, late)
	r.becomesEmpty(driver.Later)
	r.put(hostile(driver.Later, "odd", wire.HeaderLabels, `{"city":"Zürich`))
	r.failsWith("odd", deferred.KindMalformed)
	h.succeed(h.claim())
	r.passes("late")
	rec := r.record("a")
	if rec.Labels["city"] != c.Labels["city"] {
		r.Errorf("it has labels %v", rec.Labels)
	}
	if p := r.record("late").Parent; p == nil || !slices.Equal(p.Kinds, kinds) {
		r.Errorf("the late one is of %+v", p)
	}
	aside := r.aside()
	mu.Lock()
	defer mu.Unlock()
	for _, m := range append(stored, aside[0].Message) {
		for key, value := range m.Header {
			if strings.ContainsFunc(value, func(c rune) bool { return c > 0x7e }) || strings.Contains(value, `\u003c`) {
				r.Errorf("%s of %s is %q", key, m.ID, value)
			}
		}
	}
}

// passes awaits what is settled with the outcome that passes it.
func (r *rig) passes(id deferred.ID) {
	r.Helper()
	if rec := r.await(id, deferred.Succeeded); !rec.Skipped {
		r.Errorf("%s ran", id)
	}
}

// What is at all limits at once, and is parked with what a worker adds.
func labelsAtTheLimit(r *rig) {
	h := r.join(r.queue, "greet")
	c := deferred.Call{Name: "greet", ID: "a", Labels: map[string]string{"k": strings.Repeat("<", deferred.MaxLabelsSize-10)}, Delay: time.Second}
	c.After = &deferred.After{Parent: "p", On: deferred.OnFailure}
	for i := range 32 {
		c.After.Kinds = append(c.After.Kinds, strings.Repeat("<", 62)+fmt.Sprintf("%02d", i))
	}
	most := deferred.Callback{On: deferred.OnBoth, Call: deferred.Call{Name: "mend", Labels: c.Labels}}
	for range 7 {
		c.Callbacks = append(c.Callbacks, most)
	}
	c.Callbacks = append(c.Callbacks, deferred.Callback{On: deferred.OnBoth, Call: deferred.Call{Name: "mend", Args: deferred.JSON([]byte(`"` + strings.Repeat("<", 3000) + `"`))}})
	c.After.Kinds[0] = "refused"
	r.submit(c, named("greet", "p"))
	r.becomesEmpty(driver.Later)
	h.fail(h.claim(), kindError("refused"))
	a := h.claim()
	if a.ID != "a" {
		r.Fatalf("%s was given", a.ID)
	}
	h.succeed(a)
	r.await("a", deferred.Succeeded)
}
