package suite

import (
	"context"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/internal/wire"
)

// small is a store that takes only small values.
type small struct{ driver.Store }

func (s small) Write(ctx context.Context, writes []driver.Write) []driver.Written {
	if len(writes[0].Value) > 2000 {
		return []driver.Written{{Err: driver.ErrTooLarge}}
	}
	return s.Store.Write(ctx, writes)
}

func tooLargeForTheServer(r *rig) {
	r.queue = r.over(small{r.pair.Store}, r.pair.Broker)
	w := r.join(r.queue, "greet")
	r.submit(greeting("a"))
	result := deferred.Content{Type: deferred.TypeBytes, Data: make([]byte, 3000)}
	if err := w.feed.Settle(r.ctx, w.claim(), deferred.Outcome{State: deferred.Succeeded, Result: result}); err != nil {
		r.Fatal(err)
	}
	if rec := r.await("a", deferred.Failed); rec.Failure.Kind != deferred.KindResultSize {
		r.Errorf("kind %q", rec.Failure.Kind)
	}
	r.becomesEmpty(driver.Ready)
}

func malformed(r *rig) {
	m := again("a")
	m.Body = []byte(`{"world`)
	r.put(m)
	r.submit(greeting("b"))
	w := r.join(r.queue, "greet")
	w.succeed(w.claim())
	if rec := r.await("a", deferred.Failed); rec.Failure.Kind != deferred.KindMalformed {
		r.Errorf("kind %q", rec.Failure.Kind)
	}
	for d, err := range r.pair.Broker.Pending(r.ctx, driver.Page{Route: driver.Aside}) {
		if err != nil || d.Verb != "malformed" || string(d.Body) != `{"world` || d.Header[wire.HeaderReason] == "" {
			r.Errorf("set aside as %s, %q with reason %q (%v)", d.Verb, d.Body, d.Header[wire.HeaderReason], err)
		}
	}
	if n := r.pending(driver.Aside); n != 1 {
		r.Errorf("%d messages set aside, want 1", n)
	}
	r.becomesEmpty(driver.Ready)
}

func unknownCommand(r *rig) {
	r.join(r.queue, "greet")
	r.put(driver.Message{Route: driver.Commands, Verb: "explode", ID: "a"})
	r.becomesEmpty(driver.Commands)
	if n := r.pending(driver.Aside); n != 1 {
		r.Errorf("%d messages set aside, want 1", n)
	}
}
