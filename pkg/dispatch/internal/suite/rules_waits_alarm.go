package suite

import (
	"sync"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// A callback waits for its parent, and for its time. The worker that has looked at
// it stores the alarm of its begin-by late: the parent has settled meanwhile, and
// the callback's own schedule stands. That is not the alarm's to replace: it has
// the whole call, which is nowhere else.
func lateAlarm(r *rig) {
	parked := make(chan struct{})
	var once sync.Once // a wake may find the parent settled before the first look does, or after
	alarm := func(m driver.Message) bool {
		return m.Route == driver.Delay && m.Header[wire.HeaderWake] == "callback"
	}
	r.queue = r.tap(tapped{
		put: func(m driver.Message) error {
			if alarm(m) {
				select {
				case <-parked:
				case <-r.ctx.Done():
				}
			}
			return nil
		},
		stored: func(m driver.Message) {
			if m.Route == driver.Delay && m.ID == "callback" && !alarm(m) {
				once.Do(func() { close(parked) })
			}
		},
	})
	c := greeting("callback")
	c.After = &deferred.After{Parent: "parent", On: deferred.OnSuccess}
	c.Delay, c.BeginBy = time.Hour, time.Now().Add(2*time.Hour)
	r.submit(c)
	w := r.join(r.queue, "greet")
	r.comesToBe("callback", "waits", waiting)
	r.comesToBe("parent", "is waited for", func(rec *deferred.Record) bool { return rec.Attached("callback") != nil })
	r.submit(greeting("parent"))
	w.succeed(w.claim())
	r.becomesEmpty(driver.Later) // the schedule is stored, and after it the alarm
	r.becomesEmpty(driver.Commands)
	found, err := r.pair.Broker.Find(r.ctx, "callback")
	if err != nil || len(found) != 1 || found[0].Route != driver.Delay || alarm(found[0].Message) || string(found[0].Body) != `"world"` {
		r.Errorf("%+v (%v) are left of the callback, want its schedule", found, err)
	}
	if n := r.pending(driver.Delay); n != 2 {
		r.Errorf("%d schedules, want that of the call and its alarm", n)
	}
}
