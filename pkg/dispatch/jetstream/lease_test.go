package jetstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
)

// extend says that a delivery is held still.
func (p *place) extend(ctx context.Context, d driver.Delivery) error {
	return p.broker.Settle(ctx, []driver.Settlement{{Delivery: d, Verdict: driver.Extend}})
}

// becomes waits until a connection is as it should be.
func becomes(t *testing.T, nc *nats.Conn, want nats.Status) {
	t.Helper()
	changed := nc.StatusChanged(want)
	defer nc.RemoveStatusListener(changed)
	for ctx := patiently(t); nc.Status() != want; {
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the connection is %s, want %s", nc.Status(), want)
		}
	}
}

func TestExtensionThatTheServerCannotHaveHeardIsAnError(t *testing.T) {
	_, p, l := alone(t)
	put(t, p.broker, call(greet, "a"))
	d := next(t, subscribe(t, p.broker, 1, greet))
	if err := p.extend(patiently(t), d); err != nil {
		t.Fatalf("over a sound connection: %v", err)
	}
	l.through.Lock()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.extend(short, d); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("over a line on which nothing comes through: %v", err)
	}
	broken := make(chan error, 1)
	go func() { broken <- p.extend(patiently(t), d) }()
	l.cut()
	l.through.Unlock()
	if err := <-broken; err == nil {
		t.Error("over a connection that broke: no error")
	}
	becomes(t, p.nc, nats.RECONNECTING)
	if err := p.extend(patiently(t), d); err == nil {
		t.Error("without a connection: no error")
	}
	l.mend()
	becomes(t, p.nc, nats.CONNECTED)
	if err := p.extend(patiently(t), d); err != nil {
		t.Errorf("with a connection again: %v", err)
	}
}

// A worker that holds an offer is cut off. Another one performs the call, whose record
// is forgotten. Then the first is connected again.
func TestOfferThatWasHeldWithoutAConnectionIsNotClaimed(t *testing.T) {
	t.Parallel()
	_, p, l := alone(t)
	direct, err := nats.Connect("nats://" + l.target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	join := func(nc *nats.Conn, name string) deferred.Feed {
		feed, err := openQueue(t, nc, p.config).Join(t.Context(), deferred.Worker{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		feed.Want(deferred.Lane{Queue: deferred.DefaultQueue, Name: "greet"}, 10)
		return feed
	}
	offer := func(f deferred.Feed) deferred.Offer {
		o, err := f.Next(patiently(t))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	put(t, p.broker, call(greet, "a"))
	cut := join(p.nc, "cut off")
	held := offer(cut)
	l.cut()
	other := join(direct, "other")
	a, err := other.Claim(t.Context(), offer(other))
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Settle(patiently(t), a, deferred.Outcome{State: deferred.Succeeded}); err != nil {
		t.Fatal(err)
	}
	l.mend()
	becomes(t, p.nc, nats.CONNECTED)
	gone := driver.Write{Key: driver.Key{Space: driver.Records, Name: "a"}, Expect: driver.Unconditional, Delete: true}
	if err := p.store.Write(patiently(t), []driver.Write{gone})[0].Err; err != nil {
		t.Fatal(err)
	}
	if _, err := cut.Claim(patiently(t), held); !errors.Is(err, deferred.ErrTaken) {
		t.Errorf("the claim was answered with %v, want ErrTaken", err)
	}
}
