package suite

import (
	"sync/atomic"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// Anybody may fill the queue. What hangs on a call that was accepted does not keep
// that in it: else a full queue could not be worked off.
func firedIntoAFullQueue(r *rig) {
	var room atomic.Bool
	child := deferred.ChildID("parent", 0)
	q := r.tap(tapped{put: func(m driver.Message) error {
		if m.Route == driver.Ready && m.ID == child && !room.Load() {
			return driver.ErrFull
		}
		return nil
	}})
	w := r.join(q, "greet")
	parent := greeting("parent")
	parent.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	r.submit(parent)
	w.succeed(w.claim())
	r.becomesEmpty(driver.Ready) // the parent's message has made room
	room.Store(true)
	w.succeed(w.claim())
	r.await(child, deferred.Succeeded)
}
