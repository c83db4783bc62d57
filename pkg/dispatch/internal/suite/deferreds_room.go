package suite

import (
	"fmt"
	"strings"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

var roomCases = []rigCase{
	{"JoinWhoseMemberHasNoRoomForItLooksByItself", attachWithoutRoom},
	{"WhatHasNoRoomForAMarkIsLetGoOfAllTheSame", letGoWithoutRoom},
}

// filled makes the record of id one that others wait for, of many bytes.
func (r *rig) filled(id deferred.ID, change func(*deferred.Record)) {
	r.write(id, func(rec *deferred.Record) {
		rec.State, rec.Name, rec.Queue, rec.Seen = deferred.Pending, "nobody", deferred.DefaultQueue, true
		for i := range 500 {
			rec.Callbacks = append(rec.Callbacks, deferred.RecordedCallback{
				ID: deferred.ID(fmt.Sprintf("%s-%d", strings.Repeat("x", 50), i)), On: deferred.OnBoth, Waiter: true,
			})
		}
		change(rec)
	})
}

// noRoom is a queue over a server that takes no value of more than so many bytes.
func (r *rig) noRoom(most int) *dispatch.Queue {
	return r.tap(tapped{write: func(w driver.Write) error {
		if len(w.Value) > most {
			return driver.ErrTooLarge
		}
		return nil
	}})
}

func (r *rig) sizeOf(id deferred.ID) int {
	r.Helper()
	entries, err := r.pair.Store.Read(r.ctx, []driver.Key{{Space: driver.Records, Name: string(id)}})
	if err != nil {
		r.Fatal(err)
	}
	return len(entries[0].Value)
}

func attachWithoutRoom(r *rig) {
	r.filled("full", func(*deferred.Record) {})
	r.queue = r.noRoom(r.sizeOf("full") + 10)
	r.perform(nil)
	r.submit(joinOf("join", deferred.JoinAll, "full", "other"))
	r.comesToBe("other", "is waited for", func(rec *deferred.Record) bool { return rec.Attached("join") != nil })
	r.becomesEmpty(driver.Later)
	for _, id := range []deferred.ID{"full", "other"} {
		r.write(id, func(rec *deferred.Record) {
			rec.Seen, rec.Callbacks = true, nil
			settledRecord(rec, deferred.Succeeded, 1)
			rec.Result = deferred.JSON([]byte(`1`))
		})
	}
	r.gives("join", `[1,1]`)
}

func letGoWithoutRoom(r *rig) {
	r.filled("full", func(rec *deferred.Record) {
		settledRecord(rec, deferred.Failed, 1)
		rec.Callbacks = append(rec.Callbacks, deferred.RecordedCallback{ID: "join", On: deferred.OnBoth, Waiter: true})
		rec.Args = deferred.JSON([]byte(`"` + strings.Repeat("x", 1000) + `"`))
	})
	r.queue = r.noRoom(r.sizeOf("full"))
	r.write("join", func(rec *deferred.Record) {
		settledRecord(rec, deferred.Cancelled, 1)
		rec.Waits = &deferred.Waits{Mode: deferred.JoinAll, On: []deferred.ID{"full"}, Attached: 1}
	})
	r.perform(nil)
	r.put(driver.Message{Route: driver.Commands, Verb: "wake", ID: "join"})
	r.comesToBe("join", "has let go", released)
	r.becomesEmpty(driver.Commands)
	if e := func() *deferred.RecordedCallback { rec := r.record("full"); return rec.Attached("join") }(); e != nil && !e.Settled {
		r.Errorf("it is waited for still: %+v", e)
	}
}

// What cannot be noted in the record of its parent looks before that may be forgotten.
func fullAndKeptShortly(r *rig) {
	r.crowded("p")
	r.write("p", func(rec *deferred.Record) {
		rec.Name, rec.Seen, rec.Keep = "", false, 0
		for i := range rec.Callbacks {
			rec.Callbacks[i].Settled = true
		}
	})
	c := greeting("p")
	c.Keep = deferred.MinKeep
	r.submit(c)
	r.write("p", func(rec *deferred.Record) { rec.Name, rec.Seen, rec.Keep = "greet", true, deferred.MinKeep })
	r.join(r.queue, "nothing")
	m := hostile(driver.Later, "join", wire.HeaderJoin, "all")
	m.Header[wire.HeaderSubmitted] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) // it looks seldom by now
	m.Body = []byte(`["p"]`)
	r.put(m)
	r.becomesEmpty(driver.Later)
	h := r.join(r.queue, "greet")
	h.succeed(h.claim())
	r.gives("join", `["done"]`)
}
