package suite

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// A failure whose entry in the list is refused is not forgotten by it.
func listedAfterAll(r *rig) {
	var refused atomic.Bool
	r.queue = r.tap(tapped{write: func(w driver.Write) error {
		if w.Space == driver.Unhandled && refused.CompareAndSwap(false, true) {
			return errOnce
		}
		return nil
	}})
	r.submit(named("bad", "a"))
	r.perform(map[string]handler{"bad": fails("odd")})
	drivertest.Eventually(r.T, "it is listed", func() bool { return r.isListed("a") })
	if !refused.Load() {
		r.Error("no write was refused: this case says nothing")
	}
}

// isListed looks at the list as it is, and takes nothing off.
func (r *rig) isListed(id deferred.ID) bool {
	r.Helper()
	entries, err := r.pair.Store.Read(r.ctx, []driver.Key{{Space: driver.Unhandled, Name: string(id)}})
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
	drivertest.Eventually(r.T, "it is listed", func() bool { return r.isListed("a") })
	r.put(driver.Message{Route: driver.Commands, Verb: "handle", ID: "a"})
	drivertest.Eventually(r.T, "it is listed no longer", func() bool { return !r.isListed("a") })
	if rec := r.record("a"); !rec.Handled {
		r.Error("its record does not say so")
	}
}

// Who has failed a moment ago may still be seen by somebody: only later is it listed.
func listedAfterItsGrace(r *rig) {
	r.submit(named("bad", "a"))
	r.perform(map[string]handler{"bad": fails("odd")})
	drivertest.Eventually(r.T, "its entry is there", func() bool { return r.isListed("a") })
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
		w := driver.Write{Key: driver.Key{Space: driver.Unhandled, Name: id}, Value: []byte(`{}`), Expect: driver.Unconditional}
		if err := r.pair.Store.Write(r.ctx, []driver.Write{w})[0].Err; err != nil {
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

// Many failures are shown once each.
func manyListed(r *rig) {
	for i := range 600 {
		id := deferred.ID(fmt.Sprintf("bad-%d", i))
		r.write(id, func(rec *deferred.Record) { settledRecord(rec, deferred.Failed, int64(i)) })
		w := driver.Write{Key: driver.Key{Space: driver.Unhandled, Name: string(id)}, Value: []byte(`{}`), Expect: driver.Unconditional}
		if err := r.pair.Store.Write(r.ctx, []driver.Write{w})[0].Err; err != nil {
			r.Fatal(err)
		}
	}
	seen := map[deferred.ID]int{}
	for rec, err := range r.queue.Unhandled(r.ctx) {
		if err != nil {
			r.Fatal(err)
		}
		seen[rec.ID]++
	}
	if len(seen) != 600 {
		r.Errorf("%d are listed", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			r.Errorf("%s is listed %d times", id, n)
		}
	}
}

// That one word could not be given does not keep the queue from giving others: only
// whoever gets no answer at all may not speak.
func refusedNotice(r *rig) {
	var refused atomic.Bool
	q := r.tap(tapped{put: func(m driver.Message) error {
		if m.Verb == "handle" && refused.CompareAndSwap(false, true) {
			return errOnce
		}
		return nil
	}})
	r.submit(named("bad", "a"))
	r.perform(map[string]handler{"bad": fails("odd")})
	drivertest.Eventually(r.T, "it is listed", func() bool { return r.isListed("a") })
	for range 2 {
		if rec, err := q.Await(r.ctx, "a"); err != nil || rec.State != deferred.Failed {
			r.Errorf("%s, %v", rec.State, err)
		}
	}
	drivertest.Eventually(r.T, "it is listed no longer", func() bool { return !r.isListed("a") })
}
