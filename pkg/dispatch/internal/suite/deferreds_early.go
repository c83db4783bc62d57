package suite

import (
	"context"
	"errors"
	"strings"
	"sync"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
)

// verdicts remembers of which ids' commands a worker has said what becomes of them.
type verdicts struct {
	driver.Broker
	mu   sync.Mutex
	said map[deferred.ID]bool
}

func (b *verdicts) Settle(ctx context.Context, settlements []driver.Settlement) error {
	b.mu.Lock()
	for _, s := range settlements {
		if s.Route == driver.Commands && s.Verdict != driver.Extend {
			b.said[s.ID] = true
		}
	}
	b.mu.Unlock()
	return b.Broker.Settle(ctx, settlements)
}

// meets waits until a worker has said what becomes of the command of each id.
func (b *verdicts) meets(r *rig, ids ...deferred.ID) {
	r.Helper()
	for _, id := range ids {
		drivertest.Eventually(r.T, "the command of "+string(id)+" is met", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.said[id]
		})
	}
}

// command puts a command as any client may: a message, and no more.
func (r *rig) command(verb deferred.Verb, id deferred.ID, body string) {
	r.Helper()
	r.put(driver.Message{Route: driver.Commands, Verb: string(verb), ID: id, Body: []byte(body)})
}

// A worker meets the messages before what they are about was submitted. It must
// neither obey nor drop them, nor put them aside: they count once it is there.
func earlyCommands(r *rig) {
	b := &verdicts{Broker: r.pair.Broker, said: map[deferred.ID]bool{}}
	r.drive(r.join(r.over(r.pair.Store, b), "unused"), nil)
	yes, yesToken := deferred.NewPromise("yes", "approval")
	no, noToken := deferred.NewPromise("no", "approval")
	r.command(deferred.Resolve, "yes", `{"token":"`+string(yesToken)+`","value":{"ok":true}}`)
	r.command(deferred.Reject, "no", `{"token":"`+string(noToken)+`","kind":"refused","message":"too dear"}`)
	r.command(deferred.Add, "all", `{"members":["x","y"]}`)
	b.meets(r, "yes", "no", "all")
	for _, id := range []deferred.ID{"yes", "no", "all"} {
		if entries, err := r.pair.Store.Read(r.ctx, []driver.Key{{Space: driver.Records, Name: string(id)}}); err != nil || entries[0].Revision != 0 {
			r.Errorf("of the command alone, %s has the record %s (%v)", id, entries[0].Value, err)
		}
	}
	r.submit(yes, no)
	x, y := r.promise("x"), r.promise("y")
	r.joins("all", deferred.JoinAll, false, "x")
	r.ends("yes", `succeeded {"ok":true}`)
	r.ends("no", `failed refused: too dear`)
	r.attached("y", "all")
	r.resolve(x, 1)
	r.resolve(y, 2)
	r.ends("all", `succeeded [1,2]`)
	r.becomesEmpty(driver.Commands)
	if n := r.pending(driver.Aside); n != 0 {
		r.Errorf("%d messages were set aside", n)
	}
}

// Of what never comes they are set aside in the end, as they were sent.
func commandsOfNothing(r *rig) {
	r.perform(nil)
	_, token := deferred.NewPromise("p", "approval")
	bodies := map[deferred.ID]string{
		"p": `{"token":"` + string(token) + `","value":1}`,
		"q": `{"token":"q.` + strings.Repeat("x", 26) + `","message":"no"}`,
		"j": `{"members":["x"]}`,
	}
	r.command(deferred.Resolve, "p", bodies["p"])
	r.command(deferred.Reject, "q", bodies["q"])
	r.command(deferred.Add, "j", bodies["j"])
	r.becomesEmpty(driver.Commands)
	aside := map[string]bool{} // one may be there twice, if its lease ended meanwhile
	for d, err := range r.pair.Broker.Pending(r.ctx, driver.Page{Route: driver.Aside}) {
		if err != nil || d.Verb != "command" {
			r.Errorf("set aside as %s: %s (%v)", d.Verb, d.Body, err)
		}
		aside[string(d.Body)] = true
	}
	for id, body := range bodies {
		if !aside[body] {
			r.Errorf("that of %s is not set aside: %s", id, body)
		}
	}
	if len(aside) != len(bodies) {
		r.Errorf("set aside: %v", aside)
	}
}

// The record says who has settled a deferred, in the words of the command.
func settledBy(r *rig) {
	r.perform(nil)
	yes, no := r.promise("yes"), r.promise("no")
	r.promise("gone")
	r.command(deferred.Resolve, "yes", `{"token":"`+string(yes)+`","value":1,"by":"alice"}`)
	r.command(deferred.Reject, "no", `{"token":"`+string(no)+`","message":"no","by":"bob"}`)
	r.command(deferred.Cancel, "gone", `{"reason":"too late","by":"carol"}`)
	dave := r.promise("dave")
	r.promise("erin")
	for _, c := range []deferred.Command{
		{Verb: deferred.Resolve, ID: "dave", Token: dave, Result: deferred.JSON([]byte(`1`)), By: "dave"},
		{Verb: deferred.Cancel, ID: "erin", By: "erin"},
	} {
		if err := r.queue.Do(r.ctx, c); err != nil {
			r.Fatal(err)
		}
	}
	for id, want := range map[deferred.ID]string{"yes": "alice", "no": "bob", "gone": "carol", "dave": "dave", "erin": "erin"} {
		rec, err := r.queue.Await(r.ctx, id)
		if err != nil || rec.SettledBy != want {
			r.Errorf("%s was settled by %q (%v), want %q", id, rec.SettledBy, err, want)
		}
	}
}

// Neither by a caller nor by a message: what waits is not performed by anybody,
// and its resolution must reach it.
func holdWaiting(r *rig) {
	r.perform(map[string]handler{"one": r.adopts("p")})
	token := r.promise("p")
	r.joins("all", deferred.JoinAll, false, "p")
	r.submit(named("one", "a"))
	r.waits("all", "p")
	r.waits("a", "p")
	for _, id := range []deferred.ID{"p", "all", "a"} {
		var state *deferred.StateError
		if err := r.queue.Open(id).Hold(r.ctx, ""); !errors.As(err, &state) || state.State != deferred.Waiting {
			r.Errorf("a hold of %s was answered with %v", id, err)
		}
		r.command(deferred.Hold, id, "")
	}
	r.stillOpen("p", "all", "a")
	for _, id := range []deferred.ID{"p", "all", "a"} {
		r.becomes(id, deferred.Waiting)
	}
	r.resolve(token, 1)
	r.ends("all", `succeeded [1]`)
	r.ends("a", `succeeded 1`)
}
