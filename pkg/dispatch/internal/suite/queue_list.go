package suite

import (
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver/drivertest"
)

func list(r *rig) {
	w := r.join(r.queue, "greet")
	labelled := greeting("labelled")
	labelled.Labels = map[string]string{"customer": "42"}
	r.submit(labelled)
	w.succeed(w.claim())
	w.feed.Want(w.lane, 0)
	other := greeting("other")
	other.Name = "mend"
	later := greeting("later")
	later.Delay = time.Hour
	r.submit(other, later)
	for name, c := range map[string]struct {
		filter dispatch.Filter
		want   int
	}{
		"all":     {dispatch.Filter{}, 3},
		"state":   {dispatch.Filter{States: []deferred.State{deferred.Succeeded, deferred.Scheduled}}, 2},
		"name":    {dispatch.Filter{Name: "mend"}, 1},
		"label":   {dispatch.Filter{Labels: map[string]string{"customer": "42"}}, 1},
		"no such": {dispatch.Filter{Queue: "no-such"}, 0},
	} {
		drivertest.Eventually(r.T, name, func() bool { // a call on its way from one stream to the other may be in neither
			n := 0
			for _, err := range r.queue.List(r.ctx, c.filter) {
				if err != nil {
					r.Fatal(err)
				}
				n++
			}
			return n == c.want
		})
	}
}

// One call has settled, one is known by its message alone, and of one there is
// a record that has not met it.
func intervalFilters(r *rig) {
	r.submit(greeting("settled"), named("mend", "message"), named("mend", "held"))
	r.holds("held")
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	end := r.await("settled", deferred.Succeeded).Settled
	is := func(id deferred.ID, f dispatch.Filter, want bool) {
		r.Helper()
		got := false
		for rec, err := range r.queue.List(r.ctx, f) {
			if err != nil {
				r.Fatal(err)
			}
			got = got || rec.ID == id
		}
		if got != want {
			r.Errorf("%s is selected: %t, by submitted %v and settled %v", id, got, f.Submitted, f.Settled)
		}
	}
	for _, id := range []deferred.ID{"settled", "message", "held"} {
		rec, err := r.queue.Record(r.ctx, id)
		if err != nil || rec.Submitted.IsZero() {
			r.Fatalf("%s was submitted %v (%v)", id, rec.Submitted, err)
		}
		for _, i := range around(rec.Submitted) {
			is(id, dispatch.Filter{Submitted: i.Interval}, i.has)
			is(id, dispatch.Filter{Submitted: i.Interval, Name: "none"}, false)
		}
		for _, i := range around(end) {
			is(id, dispatch.Filter{Settled: i.Interval}, i.has && id == "settled")
		}
	}
}

type interval struct {
	dispatch.Interval
	has bool
}

// around are intervals with a time, and some that just miss it.
func around(t time.Time) []interval {
	before, after := t.Add(-1), t.Add(1)
	return []interval{
		{dispatch.Interval{Since: t}, true},
		{dispatch.Interval{Since: after}, false},
		{dispatch.Interval{Until: t}, false},
		{dispatch.Interval{Until: after}, true},
		{dispatch.Interval{Since: before, Until: after}, true},
		{dispatch.Interval{Since: before, Until: t}, false},
	}
}
