package drivertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

var putTests = []brokerTest{
	{"messages of a lane come in the order they were put", deliversInOrder},
	{"a message arrives as it was put", deliversWhole},
	{"a message that no server takes is refused as too large", refusesTooLarge},
	{"a message belongs to the caller", copiesMessages},
	{"the server numbers a message without an id", numbersMessages},
	{"messages are stored each on its own", putsEachOnItsOwn},
	{"a unique message is refused while its like is there", refusesDuplicates},
	{"a message that comes to an idle lane is delivered", wakesForEachMessage},
	{"waiting for a delivery ends with the context", endsNextWithContext},
	{"waiting for a delivery ends with the subscription", endsNextWithClose},
}

func deliversInOrder(t *testing.T, b bench) {
	var want, got []deferred.ID
	for i := range 20 {
		id := deferred.ID(fmt.Sprintf("id-%02d", i))
		want = append(want, id)
		b.put(call(greet, id))
	}
	sub := b.subscribe(3, greet)
	for range want {
		got = append(got, sub.finish().ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("order (-want +got):\n%s", diff)
	}
}

func deliversWhole(t *testing.T, b bench) {
	lane := driver.Lane{Route: driver.Ready, Queue: "low/eu", Name: "mail/send_all-2"}
	large := driver.Message{
		Route: lane.Route, Queue: lane.Queue, Name: lane.Name, ID: "A_z-09",
		Header: map[string]string{"Content-Type": "application/octet-stream", "Zasync-Labels": `{"a":"b: c"}`},
		Body:   bytes.Repeat([]byte{0, 1, '\r', '\n', 255}, 50_000),
	}
	small := driver.Message{Route: driver.Later, Queue: lane.Queue, Name: lane.Name, ID: "B"}
	seqs := b.put(large, small)
	sub := b.subscribe(1, lane, later)
	for range 2 {
		d := sub.take()
		i := map[driver.Route]int{driver.Ready: 0, driver.Later: 1}[d.Route]
		carries(t, d, []driver.Message{large, small}[i])
		if d.Seq != seqs[i] || d.Deliveries != 1 || d.Handle == "" || d.Got.IsZero() {
			t.Fatalf("delivery of sequence %d: %d, %d times, at %v, handle %q", seqs[i], d.Seq, d.Deliveries, d.Got, d.Handle)
		}
	}
}

func refusesTooLarge(t *testing.T, b bench) {
	for what, m := range map[string]driver.Message{
		"headers": {Header: map[string]string{"Zasync-Labels": strings.Repeat("x", 66_000)}},
		"a name":  {Header: map[string]string{"Zasync-" + strings.Repeat("X", 66_000): "x"}},
		"a body":  {Body: make([]byte, 2<<20)},
	} {
		m.Route, m.Verb = driver.Aside, "malformed"
		if _, err := b.try(m); !errors.Is(err, driver.ErrTooLarge) {
			t.Errorf("too large is %s, and the answer %v", what, err)
		}
	}
}

func copiesMessages(t *testing.T, b bench) {
	put := func() driver.Message {
		m := call(greet, "a")
		m.Header = map[string]string{"Zasync-Note": "kept"}
		return m
	}
	m := put()
	b.put(m)
	copy(m.Body, "X")
	m.Header["Zasync-Note"] = "changed"
	found := b.find("a")[0]
	carries(t, found, put())
	copy(found.Body, "Y")
	found.Header["Zasync-Note"] = "changed"
	carries(t, b.subscribe(1, greet).take(), put())
}

func numbersMessages(t *testing.T, b bench) {
	sub := b.subscribe(1, greet, later)
	for _, lane := range []driver.Lane{greet, later} {
		m := call(lane, "")
		m.Body = []byte("numbered")
		first, second := b.put(m)[0], b.put(m)[0]
		for _, seq := range []uint64{first, second} {
			m.ID = deferred.ID(strconv.FormatUint(seq, 10))
			if found := b.find(m.ID); len(found) != 1 {
				t.Fatalf("find %q: %+v", m.ID, found)
			} else {
				carries(t, found[0], m)
			}
			carries(t, sub.finish(), m)
		}
	}
}

func putsEachOnItsOwn(t *testing.T, b bench) {
	ctx, cancel := Patiently(t)
	defer cancel()
	b.put(call(greet, "b"))
	again := call(greet, "b")
	again.Unique = true
	stored := b.Put(ctx, []driver.Message{call(greet, "a"), again, call(later, "c")})
	if len(stored) != 3 || stored[0].Err != nil || stored[2].Err != nil || !errors.Is(stored[1].Err, driver.ErrExists) {
		t.Fatalf("answers are %+v, want only ErrExists in the middle", stored)
	}
	for id, n := range map[deferred.ID]int{"a": 1, "b": 1, "c": 1} {
		if found := b.find(id); len(found) != n {
			t.Fatalf("%q is there %d times, want %d", id, len(found), n)
		}
	}
}

func refusesDuplicates(t *testing.T, b bench) {
	unique := call(greet, "a")
	unique.Unique = true
	b.put(unique)
	b.exists(unique)
	b.put(call(greet, "a")) // it is only refused to who asks

	otherName, otherRoute, otherID := unique, unique, unique
	otherName.Name, otherRoute.Route, otherID.ID = "other", driver.Later, "b"
	b.put(otherName, otherRoute, otherID)

	sub := b.subscribe(2, greet)
	for range 2 {
		d := sub.take()
		b.exists(unique) // also while it is held
		b.done(d)
	}
	Eventually(t, "the message is gone", func() bool {
		_, err := b.try(unique)
		return err == nil
	})
}

func wakesForEachMessage(t *testing.T, b bench) {
	ctx, cancel := Patiently(t)
	defer cancel()
	sub := b.subscribe(2, greet, commands)
	for i := range 500 {
		lane := greet
		if i%10 == 9 {
			lane = commands
		}
		m := call(lane, deferred.ID(strconv.Itoa(i)))
		b.put(m)
		d, err := sub.Next(ctx)
		if err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
		carries(t, d, m)
		b.done(d)
		sub.Release(lane, 1)
	}
}

// begin calls Next and returns when that is most likely waiting.
func (s supply) begin(ctx context.Context) <-chan error {
	s.bench.t.Helper()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Next(ctx)
		ended <- err
	}()
	other := s.bench.subscribe(1, commands) // any other: all it does is to wait
	other.nothing("nothing was put")
	return ended
}

func endsNextWithContext(t *testing.T, b bench) {
	sub := b.subscribe(1, greet)
	ctx, cancel := context.WithCancel(t.Context())
	ended := sub.begin(ctx)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	b.put(call(greet, "a"))
	carries(t, sub.take(), call(greet, "a"))
}

func endsNextWithClose(t *testing.T, b bench) {
	sub := b.subscribe(1, greet)
	ctx, cancel := Patiently(t)
	defer cancel()
	ended := sub.begin(ctx)
	if err := sub.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if err := <-ended; err == nil || ctx.Err() != nil {
		t.Fatalf("got %v, want an error before the context ends", err)
	}
	b.put(call(greet, "a"))
	if d, err := sub.Next(ctx); err == nil || ctx.Err() != nil {
		t.Fatalf("got %+v, %v after Close, want an error at once", d, err)
	}
}
