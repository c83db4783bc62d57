package suite

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// A callback whose parent stays open expires by whichever of its times comes first.
func waitingCallbackExpires(r *rig) {
	r.submit(named("nobody", "parent"))
	soon, later := time.Now().Add(time.Second), time.Now().Add(time.Hour)
	after := func(id deferred.ID, beginBy, deadline time.Time) deferred.Call {
		c := named("greet", id)
		c.After = &deferred.After{Parent: "parent", On: deferred.OnBoth}
		c.BeginBy, c.Deadline = beginBy, deadline
		return c
	}
	r.submit(
		after("begin-by", soon, time.Time{}), after("begin-by-first", soon, later),
		after("deadline", time.Time{}, soon), after("deadline-first", later, soon),
	)
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	for _, id := range []deferred.ID{"begin-by", "begin-by-first", "deadline", "deadline-first"} {
		r.await(id, deferred.Expired)
	}
	if rec := r.record("parent"); rec.State.Settled() {
		r.Errorf("the parent is %s", rec.State)
	}
}

// What looks again and again for one that nobody has seen does so no longer than
// until its deadline.
func unseenMemberAndDeadline(r *rig) {
	c := joinOf("join", deferred.JoinAll, "nobody")
	c.Deadline = time.Now().Add(2 * time.Second)
	var latest atomic.Pointer[string]
	r.queue = r.tap(tapped{stored: func(m driver.Message) {
		if due := m.Header[wire.HeaderDue]; m.Header[wire.HeaderWake] == "join" {
			latest.Store(&due)
		}
	}})
	r.submit(c)
	r.perform(nil)
	r.await("join", deferred.Expired)
	if due := latest.Load(); due == nil || *due != c.Deadline.UTC().Format(time.RFC3339Nano) {
		r.Errorf("its last alarm was for %v, want its deadline", due)
	}
}

// crowded is the record of a call that so many deferreds wait for that it takes no
// more.
func (r *rig) crowded(id deferred.ID) {
	r.write(id, func(rec *deferred.Record) {
		rec.State, rec.Name, rec.Queue, rec.Seen = deferred.Pending, "nobody", deferred.DefaultQueue, true
		for i := range 4000 {
			rec.Callbacks = append(rec.Callbacks, deferred.RecordedCallback{
				ID: deferred.ID(fmt.Sprintf("other-%d", i)), On: deferred.OnBoth, Waiter: true, Fired: true,
			})
		}
	})
}

// What cannot be noted where it waits is woken by nobody. It looks by itself, and
// its deadline counts.
func crowdedMember(r *rig) {
	r.crowded("crowded")
	late := joinOf("late", deferred.JoinAny, "crowded")
	late.Deadline = time.Now().Add(time.Second)
	many := []deferred.ID{"crowded"}
	for i := range 8 {
		many = append(many, deferred.ID(fmt.Sprintf("member-%d", i)))
		r.write(many[i+1], func(rec *deferred.Record) {
			settledRecord(rec, deferred.Succeeded, 1)
			rec.Result = deferred.JSON([]byte(`1`))
		})
	}
	r.perform(nil)
	r.submit(joinOf("few", deferred.JoinAll, "crowded"), joinOf("many", deferred.JoinAll, many...), late)
	r.await("late", deferred.Expired)
	r.becomesEmpty(driver.Later) // the others have looked
	r.write("crowded", func(rec *deferred.Record) {
		rec.Settled = time.Now()
		rec.Settle(deferred.Succeeded, nil)
		rec.Result = deferred.JSON([]byte(`0`))
	})
	r.gives("few", `[0]`)
	var all []int
	if err := json.Unmarshal(r.await("many", deferred.Succeeded).Result.Data, &all); err != nil || len(all) != 9 {
		r.Errorf("%d results (%v)", len(all), err)
	}
}
