package suite

import (
	"errors"
	"strconv"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/driver/drivertest"
	"zasync/pkg/dispatch/internal/wire"
)

// A call that the server numbers has its number for itself, also when others know
// beforehand which one it will be.
var numberCases = []rigCase{
	{"NumberTakenBeforehandIsTheNumberedCallsAllTheSame", numberTakenBeforehand},
	{"NumberTakenBeforehandIsShownToNobody", numberTakenIsNotShown},
	{"NumberTakenBeforehandDoesNotPassForTheCallThatIsCancelled", numberTakenAndCancelled},
	{"NumberedCallThatIsMovedOnIsPerformedOnce", numberedIsMoved},
	{"NumberedCallThatCannotBeUnderstoodFails", numberedMalformed},
	{"MalformedMessageUsesUpNoNumber", numberTakenByTheMalformed},
	{"NumberIsRefusedAsTheIDOfACall", numberRefused},
}

// numbered stores a message that the server numbers.
func (r *rig) numbered(m driver.Message) deferred.ID {
	r.Helper()
	m.ID = ""
	s := r.pair.Broker.Put(r.ctx, []driver.Message{m})[0]
	if s.Err != nil {
		r.Fatal(s.Err)
	}
	return deferred.ID(strconv.FormatUint(s.Seq, 10))
}

// numberAhead is the number that the server gives in so many messages.
func (r *rig) numberAhead(n uint64) deferred.ID {
	r.Helper()
	last, err := strconv.ParseUint(string(r.numbered(driver.Message{Route: driver.Ready, Queue: "other", Name: "other"})), 10, 64)
	if err != nil {
		r.Fatal(err)
	}
	return deferred.ID(strconv.FormatUint(last+n, 10))
}

// squatting are messages of a client that may submit to another queue.
func squatting(id deferred.ID) []driver.Message {
	message := func(route driver.Route, header ...string) driver.Message {
		m := driver.Message{Route: route, Queue: "others", Name: "greet", ID: id, Header: map[string]string{}, Body: []byte(`"mine"`)}
		for i := 0; i < len(header); i += 2 {
			m.Header[header[i]] = header[i+1]
		}
		return m
	}
	join := message(driver.Commands, wire.HeaderJoin, "all", wire.HeaderName, "n")
	join.Queue, join.Name, join.Verb, join.Body = "", "", driver.VerbJoin, []byte(`[]`)
	return []driver.Message{
		message(driver.Later),
		message(driver.Later, wire.HeaderDelay, "1h"),
		message(driver.Later, wire.HeaderDeadline, "2001-01-01T00:00:00Z"),
		message(driver.Later, wire.HeaderSubmitted, "2001-01-01T00:00:00Z", wire.HeaderDue, "2001-01-01T00:00:00Z"),
		message(driver.Later, wire.HeaderAfter, "p"),
		message(driver.Later, wire.HeaderLabels, "{"),
		message(driver.Later, wire.HeaderPromise, "x"),
		message(driver.Ready),
		join,
	}
}

func numberTakenBeforehand(r *rig) {
	n := uint64(len(squatting("x")))
	id := r.numberAhead(n + 1)
	for _, m := range squatting(id) {
		r.put(m)
	}
	if got := r.numbered(again("")); got != id {
		r.Fatalf("the call has number %s, want %s", got, id)
	}
	w := r.join(r.queue, "unused")
	w.feed.Want(deferred.Lane{Queue: "others", Name: "greet"}, 10)
	drivertest.Eventually(r.T, "all of them are set aside", func() bool { return r.pending(driver.Aside) == int(n) }) //nolint:gosec // a few
	w.feed.Want(deferred.Lane{Queue: deferred.DefaultQueue, Name: "greet"}, 10)
	a := w.claim()
	if a.ID != id || a.Lane.Queue != deferred.DefaultQueue || string(a.Args.Data) != `"world"` {
		r.Errorf("%s of %s is performed with %s", a.ID, a.Lane.Queue, a.Args.Data)
	}
	w.succeed(a)
	r.gives(id, `"done"`)
}

func numberTakenIsNotShown(r *rig) {
	id := r.numberAhead(100)
	for _, m := range squatting(id) {
		r.put(m)
	}
	if rec, err := r.queue.Record(r.ctx, id); !errors.Is(err, deferred.ErrNotFound) {
		r.Errorf("shown is %s in %q (%v)", rec.State, rec.Queue, err)
	}
	for rec, err := range r.queue.List(r.ctx, dispatch.Filter{Queue: "others"}) {
		r.Errorf("listed is %s (%v)", rec.ID, err)
	}
}

func numberTakenAndCancelled(r *rig) {
	r.perform(nil)
	id := r.numberAhead(3)
	m := again(id)
	m.Queue, m.Header[wire.HeaderCallbacks] = "others", `[{"on":"both","name":"spy"}]`
	r.put(m)
	r.say(deferred.Cancel, id, "early")
	r.await(id, deferred.Cancelled)
	if got := r.numbered(again("")); got != id {
		r.Fatalf("the call has number %s, want %s", got, id)
	}
	r.perform(map[string]handler{"greet": succeeds(`1`)})
	drivertest.Eventually(r.T, "the call is met", func() bool {
		rec := r.record(id)
		return rec.Seen && rec.Queue == deferred.DefaultQueue && len(rec.Callbacks) == 0
	})
}

func numberedIsMoved(r *rig) {
	w := r.join(r.queue, "greet")
	header := func(key, value string) driver.Message {
		m := again("")
		m.Route = driver.Later
		m.Header = map[string]string{wire.HeaderContentType: deferred.TypeJSON, key: value}
		return m
	}
	ids := map[deferred.ID]int{}
	for _, m := range []driver.Message{
		header(wire.HeaderRetries, "3"),
		header(wire.HeaderDelay, "1s"),
		header(wire.HeaderDeadline, time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano)),
		again(""),
	} {
		ids[r.numbered(m)] = 0
	}
	for range 2 * len(ids) { // each fails once, and is parked and moved
		a := w.claim()
		ids[a.ID]++
		out := deferred.Outcome{State: deferred.Succeeded, Result: deferred.JSON([]byte(`1`))}
		if ids[a.ID] == 1 {
			out = deferred.Outcome{State: deferred.Scheduled, Retry: deferred.Advice{After: time.Millisecond}}
		}
		if err := w.feed.Settle(r.ctx, a, out); err != nil {
			r.Fatal(err)
		}
	}
	for id, attempts := range ids {
		r.gives(id, `1`)
		if attempts != 2 {
			r.Errorf("%s was attempted %d times, want 2", id, attempts)
		}
	}
	if n := r.pending(driver.Aside); n != 0 {
		r.Errorf("%d messages are set aside", n)
	}
}

// Also while somebody else has taken the number.
func numberedMalformed(r *rig) {
	id := r.numberAhead(2)
	m := again(id)
	m.Queue = "others"
	r.put(m)
	bad := again("")
	bad.Header[wire.HeaderLabels] = "{"
	if got := r.numbered(bad); got != id {
		r.Fatalf("the call has number %s, want %s", got, id)
	}
	r.join(r.queue, "greet")
	r.failsWith(id, deferred.KindMalformed)
}

func numberRefused(r *rig) {
	var input *deferred.InputError
	if _, err := r.queue.Submit(r.ctx, greeting("1795442839409062")); !errors.As(err, &input) || input.Field != deferred.FieldID {
		r.Errorf("got %v, want an error about the id", err)
	}
	r.submit(greeting("20261127"))
}

func numberTakenByTheMalformed(r *rig) {
	id := r.numberAhead(100)
	m := again(id)
	m.Route, m.Queue, m.Header[wire.HeaderLabels] = driver.Later, "others", "{"
	r.put(m)
	r.perform(nil)
	r.becomesEmpty(driver.Later)
	if n := r.pending(driver.Aside); n != 1 {
		r.Errorf("%d messages are set aside, want 1", n)
	}
	if rec, err := r.queue.Record(r.ctx, id); !errors.Is(err, deferred.ErrNotFound) {
		r.Errorf("under the number is noted %s (%v)", rec.State, err)
	}
}
