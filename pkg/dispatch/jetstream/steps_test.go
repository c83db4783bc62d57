package jetstream_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/jetstream"
)

const patience = 30 * time.Second

var greet = driver.Lane{Route: driver.Ready, Queue: "default", Name: "greet"}

func patiently(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

func call(l driver.Lane, id string) driver.Message {
	return driver.Message{Route: l.Route, Queue: l.Queue, Name: l.Name, ID: deferred.ID(id)}
}

func put(tb testing.TB, b *jetstream.Broker, messages ...driver.Message) {
	tb.Helper()
	for _, s := range b.Put(patiently(tb), messages) {
		if s.Err != nil {
			tb.Fatal(s.Err)
		}
	}
}

// insist puts a message over a connection that may be breaking.
func insist(tb testing.TB, b *jetstream.Broker, m driver.Message) {
	tb.Helper()
	ctx := patiently(tb)
	for {
		err := b.Put(ctx, []driver.Message{m})[0].Err
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			tb.Fatal(err)
		}
	}
}

func subscribe(tb testing.TB, b *jetstream.Broker, n int, lanes ...driver.Lane) driver.Subscription {
	tb.Helper()
	sub, err := b.Subscribe(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = sub.Close() })
	for _, l := range lanes {
		sub.Want(l, n)
	}
	return sub
}

func next(tb testing.TB, sub driver.Subscription) driver.Delivery {
	tb.Helper()
	d, err := sub.Next(patiently(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func done(tb testing.TB, b *jetstream.Broker, d driver.Delivery) {
	tb.Helper()
	if err := b.Settle(tb.Context(), []driver.Settlement{{Delivery: d, Verdict: driver.Done}}); err != nil {
		tb.Fatal(err)
	}
}

func stands(tb testing.TB, b *jetstream.Broker, id deferred.ID) bool {
	tb.Helper()
	found, err := b.Find(patiently(tb), id)
	if err != nil {
		tb.Fatal(err)
	}
	return len(found) > 0
}

// gone waits until the server has taken an acknowledgement in.
func gone(tb testing.TB, b *jetstream.Broker, id deferred.ID) {
	tb.Helper()
	for stands(tb, b, id) {
	}
}

func laneOf(i int) driver.Lane {
	return driver.Lane{Route: driver.Ready, Queue: "default", Name: "lane" + strconv.Itoa(i)}
}
