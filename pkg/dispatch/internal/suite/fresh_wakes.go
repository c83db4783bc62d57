package suite

import (
	"context"
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

var freshWakeCases = []rigCase{
	{"Rule11WakeOfAJoinReadFromALaggingReplicaIsNotDropped", wakeBeforeTheJoin},
	{"wake_of_an_adopter_read_from_lagging_replica_is_not_dropped", wakeBeforeTheAdopter},
	{"wake_of_what_seems_to_run_until_its_deadline_is_not_put_off", wakeBeforeTheDeadline},
	{"wake_whose_sender_seems_open_settles_what_waits", wakeOfAnOpenSender},
	{"wake_whose_sender_seems_to_be_an_earlier_one_tells_of_the_present", wakeOfAnEarlierSender},
	{"wake_of_a_join_with_other_members_that_seem_open_settles_it", wakeAmongOpenMembers},
	{"join_over_a_member_that_seems_open_sees_that_it_has_failed", joinOverOpenMembers},
	{"callback_fired_ahead_of_a_replica_runs", firedAhead},
	{"parent_that_seems_unseen_is_not_given_up", parentSeemsUnseen},
	{"member_that_seems_unseen_is_not_given_up", memberSeemsUnseen},
	{"member_met_while_its_messages_are_looked_for_is_not_given_up", memberMetMeanwhile},
	{"wake_of_a_join_that_seems_to_have_fewer_members_is_not_dropped", wakeOfAGrownJoin},
	{"two_that_adopt_one_another_are_found_though_neither_seems_to_wait", seemNotCircular},
	{"slow_worker_attaches_nothing_for_a_join_that_seems_to_wait", attachesForNone},
}

func wakeBeforeTheJoin(r *rig) {
	w, still := r.lagging(driver.Commands)
	still.stop("j")
	a := w.claims(greeting("m"))[0]
	r.submit(joinOf("j", deferred.JoinAll, "m"))
	r.knowsOf("m", "j")
	r.becomesEmpty(driver.Later)
	w.succeed(a)
	r.gives("j", `["done"]`)
}

func wakeBeforeTheAdopter(r *rig) {
	w, still := r.lagging(driver.Commands)
	a := w.claims(greeting("m"), greeting("j"))
	still.stop("j")
	w.adopt(a[1], "m")
	w.succeed(a[0])
	r.gives("j", `"done"`)
}

func wakeBeforeTheDeadline(r *rig) {
	w, still := r.lagging(driver.Commands)
	j := greeting("j")
	j.Deadline = time.Now().Add(time.Hour)
	a := w.claims(greeting("m"), j)
	still.stop("j")
	w.adopt(a[1], "m")
	w.succeed(a[0])
	r.gives("j", `"done"`)
}

func wakeOfAnOpenSender(r *rig) {
	w, still := r.lagging(driver.Commands)
	a := w.claims(greeting("m"))[0]
	r.submit(joinOf("j", deferred.JoinAll, "m"))
	r.knowsOf("m", "j")
	r.becomesEmpty(driver.Later)
	still.stop("m")
	w.succeed(a)
	r.gives("j", `["done"]`)
}

// The id of the member is used again. The replica tells of the outcome that an
// earlier one had.
func wakeOfAnEarlierSender(r *rig) {
	w, still := r.lagging(driver.Commands)
	w.fail(w.claims(named("greet", "m"))[0], kindError("earlier"))
	r.await("m", deferred.Failed)
	r.becomesEmpty(driver.Ready)
	still.stop("m")
	r.forget("m")
	a := w.claims(named("greet", "m"))[0]
	r.submit(joinOf("j", deferred.JoinAll, "m"))
	r.knowsOf("m", "j")
	r.becomesEmpty(driver.Later)
	w.succeed(a)
	r.gives("j", `["done"]`)
}

// forget deletes a record, as the end of its time would.
func (r *rig) forget(id deferred.ID) {
	r.Helper()
	w := driver.Write{Key: drivertest.RecordKey(string(id)), Expect: driver.Unconditional, Delete: true}
	if err := r.pair.Store.Write(r.ctx, []driver.Write{w})[0].Err; err != nil {
		r.Fatal(err)
	}
}

func wakeAmongOpenMembers(r *rig) {
	w, still := r.lagging(driver.Commands)
	a := w.claims(greeting("first"), greeting("second"))
	r.submit(joinOf("j", deferred.JoinAll, "first", "second"))
	r.knowsOf("first", "j")
	r.becomesEmpty(driver.Later)
	still.stop("second")
	w.succeed(a[1])
	w.succeed(a[0])
	r.gives("j", `["done","done"]`)
}

// One of the members never settles. The other one had failed before.
func joinOverOpenMembers(r *rig) {
	w, still := r.lagging(driver.Later)
	w.claims(greeting("runs"))
	a := w.claims(named("greet", "failed"))[0]
	still.stop("failed")
	w.fail(a, kindError("odd"))
	r.submit(joinOf("j", deferred.JoinAll, "runs", "failed"))
	r.failsWith("j", "odd")
}

func firedAhead(r *rig) {
	still := r.standstill()
	w := r.takes(r.pair.Store)
	c := greeting("p")
	c.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "mend"}}}
	a := w.claims(c)[0]
	still.stop("p")
	r.drive(r.join(r.over(still, r.pair.Broker), "nothing"), map[string]handler{"mend": succeeds(`2`)})
	w.succeed(a)
	r.gives(deferred.ChildID("p", 0), `2`)
}

// unseenIn has a replica stop when the promise p has a record and no worker has met
// it yet. Then it is met, and no message of it is left.
func (r *rig) unseenIn(still *standstill, waiter deferred.ID) deferred.PromiseToken {
	r.Helper()
	r.knowsOf("p", waiter)
	still.stop("p")
	token := r.promise("p")
	r.comesToBe("p", "waits", waiting)
	r.pass(10 * time.Second) // beyond the grace time
	return token
}

func parentSeemsUnseen(r *rig) {
	w, still := r.lagging(driver.Commands)
	r.must(r.queue.Open("p").AddCallback(r.ctx, named("greet", "c")))
	r.resolve(r.unseenIn(still, "c"), 1)
	w.succeed(w.claim())
	r.gives("c", `"done"`)
}

func memberSeemsUnseen(r *rig) {
	_, still := r.lagging(driver.Commands)
	r.submit(joinOf("j", deferred.JoinRace, "p", "q"))
	r.promise("q")
	r.resolve(r.unseenIn(still, "j"), 1)
	r.gives("j", `1`)
}

// finding does something before it first looks for the messages of an id.
type finding struct {
	driver.Broker
	id     deferred.ID
	before func()
	once   sync.Once
}

func (b *finding) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	if id == b.id {
		b.once.Do(b.before)
	}
	return b.Broker.Find(ctx, id)
}

func memberMetMeanwhile(r *rig) {
	var token deferred.PromiseToken
	still := r.standstill()
	looking := &finding{Broker: r.pair.Broker, id: "p", before: func() {
		still.stop("p")
		token = r.promise("p")
		r.comesToBe("p", "waits", waiting)
	}}
	r.join(r.over(still, routed{looking, func(route driver.Route) bool { return route == driver.Commands }}), "nothing")
	r.join(r.over(r.pair.Store, routed{r.pair.Broker, func(route driver.Route) bool { return route != driver.Commands }}), "nothing")
	r.submit(joinOf("j", deferred.JoinAll, "p"))
	r.knowsOf("p", "j")
	r.pass(10 * time.Second) // beyond the grace time
	r.resolve(token, 1)
	r.gives("j", `[1]`)
}

func wakeOfAGrownJoin(r *rig) {
	_, still := r.lagging(driver.Commands)
	r.openGate()
	r.submit(joinOf("j", deferred.JoinAny, "gate"))
	r.knowsOf("gate", "j")
	r.becomesEmpty(driver.Later)
	still.stop("j")
	token := r.promise("p")
	if err := r.queue.Open("j").AddMembers(r.ctx, r.queue.Open("p")); err != nil {
		r.Fatal(err)
	}
	r.knowsOf("p", "j")
	r.becomesEmpty(driver.Commands)
	r.resolve(token, 1)
	r.gives("j", `1`)
}

func seemNotCircular(r *rig) {
	still := r.standstill()
	fresh := r.join(r.queue, "greet")
	a := fresh.claims(named("greet", "a"))[0]
	fresh.feed.Want(fresh.lane, 0)
	still.stop("a")
	late := r.takes(still)
	b := late.claims(named("greet", "b"))[0]
	fresh.adopt(a, "b")
	late.adopt(b, "a")
	r.failsWith("b", deferred.KindCycle)
}

func attachesForNone(r *rig) {
	_, still := r.lagging(driver.Commands)
	r.openGate()
	r.submit(joinOf("j", deferred.JoinAll, "gate"))
	r.comesToBe("j", "waits", waiting)
	r.knowsOf("gate", "j")
	r.becomesEmpty(driver.Later)
	still.stop("j")
	r.cancel("j", "no")
	r.comesToBe("gate", "is needed no more", func(rec *deferred.Record) bool { return rec.Attached("j") == nil })
	r.becomesEmpty(driver.Commands)
	r.put(driver.Message{Route: driver.Commands, Verb: "wake", ID: "j", Body: []byte(`{"from":"gate"}`)})
	r.becomesEmpty(driver.Commands)
	if rec := r.record("gate"); rec.Attached("j") != nil {
		r.Error("a join that was cancelled is attached for ever")
	}
}
