package dispatchtest

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// The alarm of a deadline goes with what waited for it.
func alarmGoes(r *rig) {
	r.perform(nil)
	c, token := deferred.NewPromise("p", "promise")
	c.Deadline = time.Now().Add(time.Hour)
	r.submit(c)
	eventually(r.T, "the alarm is set", func() bool { return r.pending(dispatch.Delay) == 1 })
	r.becomesEmpty(dispatch.Later)
	if err := deferred.ResolvePromise(r.ctx, r.queue, token, 1); err != nil {
		r.Fatal(err)
	}
	r.becomesEmpty(dispatch.Delay)
}

// A failure whose entry in the list is refused is not forgotten by it.
func listedAfterAll(r *rig) {
	var refused atomic.Bool
	r.queue = r.tap(tapped{write: func(w dispatch.Write) error {
		if w.Space == dispatch.Unhandled && refused.CompareAndSwap(false, true) {
			return errOnce
		}
		return nil
	}})
	r.submit(named("bad", "a"))
	r.perform(map[string]handler{"bad": fails("odd")})
	eventually(r.T, "it is listed", func() bool { return r.isListed("a") })
	if !refused.Load() {
		r.Error("no write was refused: this case says nothing")
	}
}

// isListed looks at the list as it is, and takes nothing off.
func (r *rig) isListed(id deferred.ID) bool {
	r.Helper()
	entries, err := r.pair.Store.Read(r.ctx, []dispatch.Key{{Space: dispatch.Unhandled, Name: string(id)}})
	if err != nil {
		r.Fatal(err)
	}
	return entries[0].Revision != 0
}

// The word of one who has seen a failure takes it off the list, also if he died
// when he had given it.
func unlistedForTheDead(r *rig) {
	r.submit(named("bad", "a"))
	r.perform(map[string]handler{"bad": fails("odd")})
	eventually(r.T, "it is listed", func() bool { return r.isListed("a") })
	r.put(dispatch.Message{Route: dispatch.Commands, Verb: "handle", ID: "a"})
	eventually(r.T, "it is listed no longer", func() bool { return !r.isListed("a") })
	if rec := r.record("a"); !rec.Handled {
		r.Error("its record does not say so")
	}
}

// A callback that travelled with its call, on the branch that was not taken, settles
// though nobody performs calls of its name.
func otherBranchWithoutAWorker(r *rig) {
	c := withErrback("a")
	c.Callbacks[0].Call.Callbacks = []deferred.Callback{{On: deferred.OnSuccess, Call: deferred.Call{Name: "greet"}}}
	r.submit(c)
	r.perform(map[string]handler{"greet": succeeds(`"done"`)})
	skipped := r.await(child("a", 0), deferred.Succeeded)
	if !skipped.Skipped || skipped.Attempt != 0 {
		r.Errorf("skipped: %t, after %d attempts", skipped.Skipped, skipped.Attempt)
	}
	if rec := r.await(child("a", 0, 0), deferred.Succeeded); rec.Skipped {
		r.Error("what is below was skipped as well")
	}
}

// A worker parks a call, and before that is stored the call is cancelled, and the
// command done. Nobody else will remove the schedule.
func parkedWhenCancelled(r *rig) {
	var once sync.Once
	r.queue = r.tap(tapped{put: func(m dispatch.Message) error {
		if m.Route == dispatch.Delay && m.ID == "a" {
			once.Do(func() {
				if err := r.over(r.pair.Store, r.pair.Broker).Open("a").Cancel(r.ctx, ""); err != nil {
					r.Error(err)
				}
				r.becomesEmpty(dispatch.Commands)
			})
		}
		return nil
	}})
	c := greeting("a")
	c.Delay = time.Hour
	r.submit(c)
	r.perform(nil)
	r.becomesEmpty(dispatch.Later)
	r.becomesEmpty(dispatch.Delay) // after a look whether its message is there still
	r.await("a", deferred.Cancelled)
}

// A record that was cancelled has not met its call. A schedule of that has callbacks
// that are nowhere else: a command may not remove it.
func scheduleOfAnUnseenCall(r *rig) {
	c := withErrback("a")
	callbacks, err := deferred.MarshalCallbacks(c.Callbacks)
	if err != nil {
		r.Fatal(err)
	}
	r.write("a", func(rec *deferred.Record) {
		rec.Settle(deferred.Cancelled, deferred.CancelFailure(""))
		rec.Settled = time.Now()
	})
	m := again("a")
	m.Route, m.At = dispatch.Delay, time.Now().Add(2*time.Second)
	m.Header[dispatch.HeaderCallbacks] = string(callbacks)
	m.Header[dispatch.HeaderDue] = m.At.UTC().Format(time.RFC3339Nano)
	r.put(m)
	r.put(dispatch.Message{Route: dispatch.Commands, Verb: "cancel", ID: "a"})
	r.perform(map[string]handler{"mend": succeeds(`"mended"`), "greet": succeeds(`"done"`)})
	r.gives(child("a", 0), `"mended"`)
	r.await("a", deferred.Cancelled)
}

// Who has failed a moment ago may still be seen by somebody: only later is it listed.
func listedAfterItsGrace(r *rig) {
	r.submit(named("bad", "a"))
	r.perform(map[string]handler{"bad": fails("odd")})
	eventually(r.T, "its entry is there", func() bool { return r.isListed("a") })
	for grace, want := range map[time.Duration]int{time.Hour: 0, -time.Second: 1} {
		q := dispatch.New(r.pair.Store, r.pair.Broker, dispatch.Config{Lease: r.pair.Lease, UnhandledGrace: grace, Logger: silent()})
		n := 0
		for _, err := range q.Unhandled(r.ctx) {
			if err != nil {
				r.Fatal(err)
			}
			n++
		}
		if n != want {
			r.Errorf("with the grace %v %d are listed, want %d", grace, n, want)
		}
	}
}

// An entry that is not true any more is passed over, and taken off.
func staleEntryGoes(r *rig) {
	r.write("handled", func(rec *deferred.Record) { settledRecord(rec, deferred.Failed, 1); rec.Handled = true })
	for _, id := range []string{"handled", "gone"} {
		w := dispatch.Write{Key: dispatch.Key{Space: dispatch.Unhandled, Name: id}, Value: []byte(`{}`), Expect: dispatch.Unconditional}
		if err := r.pair.Store.Write(r.ctx, []dispatch.Write{w})[0].Err; err != nil {
			r.Fatal(err)
		}
	}
	for rec, err := range r.queue.Unhandled(r.ctx) {
		r.Errorf("%s is listed (%v)", rec.ID, err)
	}
	if r.isListed("handled") || r.isListed("gone") {
		r.Error("an entry that is not true stands still")
	}
}

// The causes of a failure of many are named up to a number.
func manyCauses(r *rig) {
	var members []deferred.ID
	for i := range 40 {
		id := deferred.ID("bad-" + strconv.Itoa(i))
		members = append(members, id)
		r.write(id, func(rec *deferred.Record) {
			settledRecord(rec, deferred.Failed, int64(i))
			rec.Failure.Message = strings.Repeat("m", 10_000)
		})
	}
	r.perform(nil)
	r.submit(joinOf("any", deferred.JoinAny, members...))
	f := r.await("any", deferred.Failed).Failure
	if f.Kind != deferred.KindAllFailed || len(f.Chain) != 16 || !strings.HasPrefix(f.Chain[0].Message, "bad-0: mmm") || len(f.Chain[0].Message) > 1100 {
		r.Errorf("kind %s with %d causes, the first of %d bytes", f.Kind, len(f.Chain), len(f.Chain[0].Message))
	}
}
