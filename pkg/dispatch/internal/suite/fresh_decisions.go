package suite

import (
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

var freshDecisionCases = []rigCase{
	{"expiry_of_what_seems_not_to_be_there_is_not_dropped", expiryOfTheUnseen},
	{"hold_of_what_seems_to_run_holds", holdOfWhatSeemsToRun},
	{"command_that_seems_to_come_before_its_promise_is_not_set_aside", seemsEarly},
	{"token_of_what_seems_to_be_no_promise_is_not_set_aside", tokenSeemsOfNone},
	{"call_that_seems_to_be_of_another_is_not_set_aside", seemsAnother},
	{"call_that_seems_to_have_settled_before_it_was_sent_runs", seemsSettled},
	{"schedule_of_what_seems_open_does_not_outlive_its_cancel", scheduleOfTheCancelled},
	{"settled_record_that_seems_unfired_fires_nothing_again", seemsUnfired},
	{"living_worker_whose_heartbeat_is_not_there_yet_keeps_its_call", seemsDead},
	{"attempt_whose_record_seems_to_be_of_another_is_not_revoked", seemsLost},
	{"checkpoint_is_the_latest_one", checkpointIsTheLatest},
	{"failure_that_is_not_there_yet_stays_on_the_list", seemsHandled},
	{"annotation_of_what_seems_to_be_gone_is_not_swept", seemsGone},
}

func expiryOfTheUnseen(r *rig) {
	w, still := r.lagging(driver.Commands)
	still.stop("a")
	c := greeting("a")
	c.Deadline = time.Now().Add(5 * time.Second)
	a := w.claims(c)[0]
	told := make(chan error, 1)
	a.OnRevoke(func(err error) { told <- err })
	r.await("a", deferred.Expired)
	if err := <-told; err == nil {
		r.Error("the attempt was told no reason")
	}
}

func holdOfWhatSeemsToRun(r *rig) {
	w, still := r.lagging(driver.Commands)
	a := w.claims(greeting("a"))[0]
	still.stop("a")
	if err := w.feed.Settle(r.ctx, a, deferred.Outcome{State: deferred.Scheduled, Retry: deferred.Advice{After: time.Hour}}); err != nil {
		r.Fatal(err)
	}
	r.command("hold", "a", `{"reason":"wait"}`)
	r.comesToBe("a", "is held", func(rec *deferred.Record) bool { return rec.State == deferred.Held })
}

func seemsEarly(r *rig) {
	_, still := r.lagging(driver.Commands)
	still.stop("gate")
	r.command("resolve", "gate", `{"token":"`+string(gateToken)+`","value":1}`)
	r.submit(gate)
	r.gives("gate", `1`)
	if n := r.pending(driver.Aside); n > 0 {
		r.Errorf("%d words are set aside", n)
	}
}

// The replica knows another call that was performed under the id.
func tokenSeemsOfNone(r *rig) {
	w, still := r.lagging(driver.Commands)
	a := w.claims(named("greet", "gate"))[0]
	still.stop("gate")
	w.fail(a, kindError("earlier"))
	r.becomesEmpty(driver.Ready)
	r.forget("gate")
	r.openGate()
	r.command("resolve", "gate", `{"token":"`+string(gateToken)+`","value":1}`)
	r.gives("gate", `1`)
}

// earlier performs a call and forgets it, all but the replica.
func (r *rig) earlier(c deferred.Call) (late *hand) {
	r.Helper()
	still := r.standstill()
	late = r.takes(still)
	late.succeed(late.claims(c)[0])
	r.becomesEmpty(driver.Ready)
	still.stop(c.ID)
	r.forget(c.ID)
	r.pass(time.Second)
	return late
}

func seemsAnother(r *rig) {
	w := r.earlier(greeting("a"))
	c := named("greet", "a")
	c.BeginBy = time.Now().Add(time.Hour) // so that its record is looked at
	w.succeed(w.claims(c)[0])
	r.await("a", deferred.Succeeded)
}

func seemsSettled(r *rig) {
	w := r.earlier(greeting("a"))
	c := greeting("a")
	c.BeginBy = time.Now().Add(time.Hour)
	w.succeed(w.claims(c)[0])
	r.await("a", deferred.Succeeded)
}

// examined is a second message of greet's call whose record is looked at.
func examined(id deferred.ID) driver.Message {
	m := again(id)
	m.Header[wire.HeaderBeginBy] = time.Now().Add(time.Hour).Format(time.RFC3339)
	return m
}

func scheduleOfTheCancelled(r *rig) {
	still := r.standstill()
	r.join(r.queue, "nothing")
	c := greeting("a")
	c.Delay = time.Hour
	r.submit(c)
	r.comesToBe("a", "is scheduled", func(rec *deferred.Record) bool { return rec.State == deferred.Scheduled })
	r.becomesEmpty(driver.Later)
	still.stop("a")
	r.cancel("a", "no")
	r.becomesEmpty(driver.Commands)
	r.becomesEmpty(driver.Delay)
	r.put(examined("a"))
	r.takes(still)
	r.becomesEmpty(driver.Ready)
	if n := r.pending(driver.Delay); n > 0 {
		r.Error("the schedule of a cancelled call is left behind")
	}
}

func seemsUnfired(r *rig) {
	still := r.standstill()
	var fired atomic.Int64
	tap := tapped{stored: func(m driver.Message) {
		if m.ID == deferred.ChildID("p", 0) {
			fired.Add(1)
		}
	}}
	w := r.join(r.queue, "greet")
	c := greeting("p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	w.succeed(w.claims(c)[0])
	w.succeed(w.claim())
	r.comesToBe("p", "knows that its callback has settled", func(rec *deferred.Record) bool { return rec.Callbacks[0].Settled })
	w.feed.Want(w.lane, 0)
	rec := r.record("p")
	rec.Callbacks[0].Fired, rec.Callbacks[0].Settled = false, false
	value, err := rec.MarshalJSON()
	if err != nil {
		r.Fatal(err)
	}
	still.tell(driver.Entry{Key: drivertest.RecordKey("p"), Value: value, Revision: 1})
	r.join(r.over(still, tappedBroker{r.pair.Broker, tap}), "greet")
	r.put(examined("p"))
	r.becomesEmpty(driver.Ready)
	if n := fired.Load(); n > 0 {
		r.Errorf("the callback is fired %d times more", n)
	}
}
