package suite

import (
	"encoding/json"
	"strings"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

func allInOrder(r *rig) {
	r.perform(map[string]handler{"greet": func(a *deferred.Attempt) (string, error) { return `"` + string(a.ID) + `"`, nil }})
	all := r.must(deferred.All(r.ctx, r.queue, r.queue.Open("c"), r.queue.Open("a"), r.queue.Open("b")))
	r.submit(named("greet", "a"), named("greet", "b"), named("greet", "c"))
	r.gives(all.ID(), `["c","a","b"]`)
}

func allFailsEarly(r *rig) {
	r.submit(named("nobody", "open"), named("greet", "bad"))
	r.perform(map[string]handler{"greet": fails("odd")})
	all := r.must(deferred.All(r.ctx, r.queue, r.queue.Open("open"), r.queue.Open("bad")))
	r.failsWith(all.ID(), "odd")
	if f := r.await(all.ID(), deferred.Failed).Failure; f.Member != "bad" {
		r.Errorf("the failure is of member %q", f.Member)
	}
}

func largeJoin(r *rig) {
	large := `"` + strings.Repeat("x", 100<<10) + `"`
	r.perform(map[string]handler{"greet": succeeds(large)})
	r.submit(named("greet", "a"), named("greet", "b"), named("greet", "c"))
	all := r.must(deferred.All(r.ctx, r.queue, r.queue.Open("a"), r.queue.Open("b"), r.queue.Open("c")))
	var got []string
	if err := json.Unmarshal(r.await(all.ID(), deferred.Succeeded).Result.Data, &got); err != nil || len(got) != 3 || len(got[2]) != 100<<10 {
		r.Errorf("%d results (%v), want three whole ones", len(got), err)
	}
}

func cancelRest(r *rig) {
	r.submit(named("greet", "fast"), named("nobody", "lone"), named("nobody", "wanted"))
	r.must(r.queue.Open("wanted").AddBoth(r.ctx, named("nobody", "other")))
	r.perform(nil)
	drivertest.Eventually(r.T, "the other one waits", func() bool {
		rec, err := r.queue.Record(r.ctx, "other")
		return err == nil && rec.Waits != nil
	})
	drivertest.Eventually(r.T, "the wanted one knows", func() bool {
		entries, err := r.pair.Store.Read(r.ctx, []driver.Key{{Space: driver.Records, Name: "wanted"}})
		return err == nil && strings.Contains(string(entries[0].Value), `"other"`)
	})
	j := deferred.NewJoin(deferred.JoinRace, r.queue.Open("fast"), r.queue.Open("lone"), r.queue.Open("wanted"))
	j.ID, j.Join.CancelRest = "race", true
	r.submit(j)
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	r.gives("race", `1`)
	r.await("lone", deferred.Cancelled)
	if rec, err := r.queue.Record(r.ctx, "wanted"); err != nil || rec.State.Settled() {
		r.Errorf("what another one waits for is %s (%v)", rec.State, err)
	}
}
