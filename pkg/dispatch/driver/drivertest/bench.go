package drivertest

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

var (
	greet    = driver.Lane{Route: driver.Ready, Queue: "default", Name: "greet"}
	later    = driver.Lane{Route: driver.Later}
	commands = driver.Lane{Route: driver.Commands}
	due      = driver.Lane{Route: driver.Due}
)

// call is a message for a lane; its body is its id.
func call(l driver.Lane, id deferred.ID) driver.Message {
	m := driver.Message{Route: l.Route, Queue: l.Queue, Name: l.Name, ID: id, Body: []byte(id)}
	switch l.Route {
	case driver.Commands:
		m.Verb = "cancel"
	case driver.Later, driver.Delay:
		m.Queue, m.Name = "default", "greet"
	}
	return m
}

// A bench is a broker under test, with methods for what must not go wrong.
type bench struct {
	t *testing.T
	driver.Broker
	lease time.Duration
}

// try puts one message and gives the error.
func (b bench) try(m driver.Message) (uint64, error) {
	b.t.Helper()
	ctx, cancel := Patiently(b.t)
	defer cancel()
	stored := b.Put(ctx, []driver.Message{m})
	if len(stored) != 1 {
		b.t.Fatalf("one message has %d answers", len(stored))
	}
	return stored[0].Seq, stored[0].Err
}

func (b bench) put(messages ...driver.Message) []uint64 {
	b.t.Helper()
	var seqs []uint64
	for _, m := range messages {
		seq, err := b.try(m)
		if err != nil || seq == 0 {
			b.t.Fatalf("put %s %q: sequence %d, %v", m.Route, m.ID, seq, err)
		}
		seqs = append(seqs, seq)
	}
	return seqs
}

func (b bench) exists(m driver.Message) {
	b.t.Helper()
	if _, err := b.try(m); !errors.Is(err, driver.ErrExists) {
		b.t.Fatalf("put %s %q: got %v, want ErrExists", m.Route, m.ID, err)
	}
}

func (b bench) settle(s ...driver.Settlement) {
	b.t.Helper()
	ctx, cancel := Patiently(b.t)
	defer cancel()
	if err := b.Settle(ctx, s); err != nil {
		b.t.Fatalf("settle: %v", err)
	}
}

func (b bench) done(d driver.Delivery) {
	b.t.Helper()
	b.settle(driver.Settlement{Delivery: d, Verdict: driver.Done})
}

func (b bench) giveBack(d driver.Delivery, after time.Duration) {
	b.t.Helper()
	b.settle(driver.Settlement{Delivery: d, Verdict: driver.GiveBack, After: after})
}

func (b bench) find(id deferred.ID) []driver.Delivery {
	b.t.Helper()
	ctx, cancel := Patiently(b.t)
	defer cancel()
	found, err := b.Find(ctx, id)
	if err != nil {
		b.t.Fatalf("find %q: %v", id, err)
	}
	return found
}

// subscribe opens a supply that wants n of each lane.
func (b bench) subscribe(n int, lanes ...driver.Lane) supply {
	b.t.Helper()
	sub, err := b.Subscribe(b.t.Context())
	if err != nil {
		b.t.Fatalf("subscribe: %v", err)
	}
	b.t.Cleanup(func() { _ = sub.Close() })
	for _, l := range lanes {
		sub.Want(l, n)
	}
	return supply{b, sub}
}

// A supply is one subscription at the bench.
type supply struct {
	bench bench
	driver.Subscription
}

// take waits for a delivery.
func (s supply) take() driver.Delivery {
	s.bench.t.Helper()
	ctx, cancel := Patiently(s.bench.t)
	defer cancel()
	d, err := s.Next(ctx)
	if err != nil {
		s.bench.t.Fatalf("next: %v", err)
	}
	return d
}

// finish takes a delivery, says that it is done and releases it.
func (s supply) finish() driver.Delivery {
	s.bench.t.Helper()
	d := s.take()
	s.bench.done(d)
	s.Release(d.Lane(), 1)
	return d
}

// within gives a delivery if there is one soon: well within the lease, so that
// what other subscriptions hold does not come again.
func (s supply) within(short time.Duration) (driver.Delivery, bool) {
	s.bench.t.Helper()
	ctx, cancel := context.WithTimeout(s.bench.t.Context(), short)
	defer cancel()
	d, err := s.Next(ctx)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.bench.t.Fatalf("next: %v", err)
	}
	return d, err == nil
}

// nothing says that no delivery comes, whoever's lease ends.
func (s supply) nothing(why string) {
	s.bench.t.Helper()
	if d, ok := s.within(s.bench.lease / 4); ok {
		s.bench.t.Fatalf("delivered though %s: %+v", why, d)
	}
}

// carries compares a delivery with the message that was put.
func carries(t *testing.T, d driver.Delivery, want driver.Message) {
	t.Helper()
	terms := cmpopts.IgnoreFields(driver.Message{}, "At", "Unique") // of putting it
	header := cmp.Comparer(maps.Equal[map[string]string, map[string]string])
	body := cmp.Comparer(bytes.Equal)
	if diff := cmp.Diff(want, d.Message, terms, header, body); diff != "" {
		t.Fatalf("message (-want +got):\n%s", diff)
	}
	if d.Seq == 0 || d.Time.IsZero() {
		t.Fatalf("delivery has no sequence or time: %+v", d)
	}
}
