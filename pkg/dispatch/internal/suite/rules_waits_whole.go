package suite

import (
	"errors"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// What is too large to be stored is made of what is there, and of what is not.
func largeWithAnUnknown(r *rig) {
	r.queue = r.graceless()
	r.largeMembers()
	r.submit(joinOf("large", deferred.JoinAllSettled, "a", "nobody", "b"))
	whole := func(id string) string { return `{"id":"` + id + `","state":"succeeded","result":` + huge + `}` }
	var got []deferred.MemberOutcome
	rec := r.await("large", deferred.Succeeded)
	if err := rec.Result.Decode(&got); err != nil || len(got) != 3 || rec.ResultOf != "large" {
		r.Fatalf("%d outcomes (%v), want three", len(got), err)
	}
	if f := got[1].Failure; got[1].ID != "nobody" || got[1].State != deferred.Failed || f == nil || f.Kind != deferred.KindParentUnknown || got[1].Result != nil {
		r.Errorf("of nobody it has %+v", got[1])
	}
	if s := string(rec.Result.Data); len(s) < len(whole("a"))+len(whole("b")) || s[:len(whole("a"))+1] != "["+whole("a") {
		r.Errorf("the result has %d bytes", len(s))
	}
}

// Whoever reads a result whose parts are gone is told so.
func largeWithoutItsMembers(r *rig) {
	remove := func(id deferred.ID) {
		w := driver.Write{Key: driver.Key{Space: driver.Records, Name: string(id)}, Expect: driver.Unconditional, Delete: true}
		if err := r.pair.Store.Write(r.ctx, []driver.Write{w})[0].Err; err != nil {
			r.Fatal(err)
		}
	}
	r.largeMembers()
	r.submit(largeAll(), joinOf("of-large", deferred.JoinRace, "large"))
	for _, id := range []deferred.ID{"large", "of-large"} {
		r.comesToBe(id, "lets go", released)
	}
	remove("b")
	for _, id := range []deferred.ID{"large", "of-large"} {
		if rec, err := r.queue.Await(r.ctx, id); !errors.Is(err, deferred.ErrNotFound) || rec.State != deferred.Succeeded {
			r.Errorf("%s, without a member, is %s, %v", id, rec.State, err)
		}
	}
	remove("large")
	if _, err := r.queue.Await(r.ctx, "of-large"); !errors.Is(err, deferred.ErrNotFound) {
		r.Errorf("without the join that its result is of it is read as %v", err)
	}
}

// Results that fit by themselves, and not with what a list puts around them, make a
// large one.
func largeByItsFrame(r *rig) {
	r.queue = dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, InlineResult: deferred.MaxResultSize, Logger: silent()})
	r.perform(map[string]handler{"greet": succeeds(huge)})
	r.submit(named("greet", "a"))
	r.await("a", deferred.Succeeded)
	rest := deferred.MaxResultSize - len(huge) - len(`[,]`)
	for id, size := range map[deferred.ID]int{"fits": rest, "large": rest + 1} {
		member := id + "-member"
		r.write(member, func(rec *deferred.Record) {
			settledRecord(rec, deferred.Succeeded, 1)
			text := make([]byte, size)
			for i := range text {
				text[i] = '7'
			}
			rec.Result = deferred.JSON(text)
		})
		r.submit(joinOf(id, deferred.JoinAll, "a", member))
		rec := r.await(id, deferred.Succeeded)
		if of := r.record(id).ResultOf; (of == id) != (id == "large") || len(rec.Result.Data) != len(huge)+size+len(`[,]`) {
			r.Errorf("%s has %d bytes, its result is of %q", id, len(rec.Result.Data), of)
		}
	}
	// The frame of outcomes is larger.
	r.submit(joinOf("settled", deferred.JoinAllSettled, "a", "fits-member"))
	r.await("settled", deferred.Succeeded)
	if of := r.record("settled").ResultOf; of != "settled" {
		r.Errorf("the result of the outcomes is of %q", of)
	}
}

// A join may be told of more members before anybody has met it, when it is known
// only because another one waits for it.
func membersBeforeTheJoin(r *rig) {
	r.perform(nil)
	r.openGate()
	r.submit(joinOf("outer", deferred.JoinAll, "inner"))
	r.comesToBe("inner", "is waited for", func(rec *deferred.Record) bool { return rec.Attached("outer") != nil })
	r.submit(whistle)
	r.comesToBe("whistle", "waits", waiting)
	added := make(chan error, 1)
	go func() { added <- r.queue.Open("inner").AddMembers(r.ctx, r.queue.Open("whistle")) }()
	drivertest.Eventually(r.T, "the command is there", func() bool { return r.pending(driver.Commands) == 1 })
	r.submit(joinOf("inner", deferred.JoinAll, "gate"))
	if err := <-added; err != nil {
		r.Fatal(err)
	}
	for _, token := range []deferred.PromiseToken{gateToken, whistleToken} {
		if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); err != nil {
			r.Fatal(err)
		}
	}
	r.gives("outer", `[[1,1]]`)
}
