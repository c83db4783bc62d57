package suite

import (
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// What a worker stores in place of a message that is not claimed.
var parkLeaseCases = []rigCase{
	{"DelayedCallIsNotParkedAfterAGap", leaseOfAPark},
	{"CallWithADeadlineIsNotPutIntoItsLaneAfterAGap", leaseOfALaterCall},
	{"CallWhoseAlarmIsStoredIsNotPutIntoItsLaneAfterAGap", leaseOfAWatchedCall},
	{"CallbackThatWaitedIsNotPutIntoItsLaneAfterAGap", leaseOfALateCallback},
	{"AlarmOfWhatWaitsIsNotStoredAfterAGap", leaseOfAnAlarm},
}

// noted says of the first record that is written for the id.
func noted(id deferred.ID) func(*driver.Write, *driver.Message, *driver.Key) bool {
	return func(w *driver.Write, _ *driver.Message, _ *driver.Key) bool {
		return w != nil && w.Key == drivertest.RecordKey(string(id))
	}
}

// nothingIsLeft waits until no message is left but what is set aside.
func (r *rig) nothingIsLeft() {
	r.Helper()
	for _, route := range []driver.Route{driver.Ready, driver.Later, driver.Commands, driver.Delay, driver.Due} {
		r.becomesEmpty(route)
	}
}

// performedByAnother has another worker perform the call that a process holds which
// stands still. Then all of it is forgotten, and the process goes on.
func (r *rig) performedByAnother(still *freezer, id deferred.ID) {
	r.Helper()
	r.standsStill(still)
	other := r.join(r.queue, "greet")
	other.succeed(other.claim())
	r.nothingIsLeft()
	r.forget(id)
	still.thaw()
	other.idle(r.beyond())
	r.isForgotten(id)
	if n := r.pending(driver.Delay); n > 0 {
		r.Errorf("%d schedules are left of it", n)
	}
}

func leaseOfAPark(r *rig) {
	q, still := r.halting(driver.Later, noted("a"))
	r.join(q, "nothing")
	c := greeting("a")
	c.Delay = 2 * time.Second
	r.submit(c)
	r.performedByAnother(still, "a")
}

func leaseOfALaterCall(r *rig) {
	q, still := r.halting(driver.Later, noted("a"))
	r.join(q, "nothing")
	c := greeting("a")
	c.Deadline = time.Now().Add(time.Hour)
	r.submit(c)
	r.performedByAnother(still, "a")
}

// A callback that came by itself waits for p, and is woken.
func leaseOfALateCallback(r *rig) {
	var woken atomic.Bool
	q, still := r.halting(driver.Commands, func(_ *driver.Write, _ *driver.Message, k *driver.Key) bool {
		return k != nil && *k == drivertest.RecordKey("p") && woken.Load()
	})
	first := r.join(r.queue, "nothing")
	r.write("p", func(rec *deferred.Record) { rec.State, rec.Seen, rec.Name = deferred.Pending, true, "nobody" })
	r.must(r.queue.Open("p").AddCallback(r.ctx, named("greet", "c")))
	r.knowsOf("p", "c")
	r.becomesEmpty(driver.Later)
	first.leaveNow()
	r.join(q, "nothing")
	r.write("p", func(rec *deferred.Record) { settledRecord(rec, deferred.Succeeded, time.Now().Unix()) })
	woken.Store(true)
	r.put(driver.Message{Route: driver.Commands, Verb: "wake", ID: "c", Body: []byte(`{"from":"p"}`)})
	r.performedByAnother(still, "c")
}

// The alarm of a call's deadline has been stored before it goes into its lane.
func leaseOfAWatchedCall(r *rig) {
	q, still := r.halting(driver.Later, func(_ *driver.Write, m *driver.Message, _ *driver.Key) bool {
		return m != nil && m.Route == driver.Delay
	})
	r.join(q, "nothing")
	c := greeting("a")
	c.Deadline = time.Now().Add(time.Hour)
	r.submit(c)
	r.performedByAnother(still, "a")
}

// A join with a deadline has been attached to its member, which stays open.
func leaseOfAnAlarm(r *rig) {
	var met atomic.Bool
	var alarms atomic.Int64
	q, still := r.halting(driver.Later, func(w *driver.Write, m *driver.Message, _ *driver.Key) bool {
		if m != nil && m.Route == driver.Delay {
			alarms.Add(1)
		}
		return met.Load() && w != nil && w.Key == drivertest.RecordKey("gate")
	})
	r.join(q, "nothing")
	r.openGate()
	r.comesToBe("gate", "waits", waiting)
	r.submit(joinOf("kept", deferred.JoinAll, "gate")) // so that no cancel passes to its member
	r.knowsOf("gate", "kept")
	r.becomesEmpty(driver.Later)
	met.Store(true)
	j := joinOf("j", deferred.JoinAll, "gate")
	j.Deadline = time.Now().Add(time.Hour)
	r.submit(j)
	r.standsStill(still)
	other := r.join(r.queue, "other")
	r.becomesEmpty(driver.Later)
	r.cancel("j", "not needed")
	r.nothingIsLeft()
	r.forget("j")
	still.thaw()
	other.idle(r.beyond())
	if n := alarms.Load(); n > 0 {
		r.Errorf("%d alarms were stored for what is forgotten", n)
	}
}
