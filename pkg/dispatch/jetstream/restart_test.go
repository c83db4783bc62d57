package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// alone is a server of one test, which can be stopped and started again.
func alone(t *testing.T) (restart func(), p *place, l *line) {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	s := runServer(o)
	o.Port = s.Addr().(*net.TCPAddr).Port
	stop := func() { s.Shutdown(); s.WaitForShutdown() }
	t.Cleanup(func() { stop() })
	l = newLine(t, s.Addr().String())
	nc, err := nats.Connect(l.url(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	p = claim(t)
	p.nc = nc
	if p.js, err = natsjs.New(nc); err != nil {
		t.Fatal(err)
	}
	p.open(t)
	return func() { stop(); again := *o; s = runServer(&again) }, p, l
}

func TestDeliveriesResumeAfterARestartOfTheServer(t *testing.T) {
	restart, p, _ := alone(t)
	idle, busy := laneOf(1), laneOf(2)
	sub := subscribe(t, p.broker, 3, idle, busy)
	seen := map[deferred.ID]bool{}
	finish := func(d driver.Delivery) {
		done(t, p.broker, d)
		sub.Release(d.Lane(), 1)
		seen[d.ID] = true
	}
	for i := range 10 {
		put(t, p.broker, call(busy, fmt.Sprintf("busy%d", i)))
	}
	held := next(t, sub)
	for i := range 2 {
		restart()
		id := fmt.Sprintf("idle%d", i)
		insist(t, p.broker, call(idle, id))
		for !seen[deferred.ID(id)] {
			finish(next(t, sub))
		}
	}
	finish(held)
	for len(seen) < 12 {
		finish(next(t, sub))
	}
}

func TestListIsCompleteInSpiteOfARestartOfTheServer(t *testing.T) {
	restart, p, _ := alone(t)
	writes := make([]driver.Write, 3000)
	for i := range writes {
		writes[i] = driver.Write{Key: driver.Key{Space: driver.Records, Name: strconv.Itoa(i)}}
	}
	for _, w := range p.store.Write(patiently(t), writes) {
		if w.Err != nil {
			t.Fatal(w.Err)
		}
	}
	n := 0
	for _, err := range p.store.List(patiently(t), driver.Query{Space: driver.Records}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 700 {
			restart()
		}
	}
	if n != len(writes) {
		t.Fatalf("%d of %d entries were listed", n, len(writes))
	}
}

// mute makes a stream answer no publish any more.
func mute(t *testing.T, p *place, suffix string) {
	t.Helper()
	stream, err := p.js.Stream(patiently(t), p.stream(suffix))
	if err != nil {
		t.Fatal(err)
	}
	c := stream.CachedInfo().Config
	c.NoAck = true
	if _, err := p.js.UpdateStream(patiently(t), c); err != nil {
		t.Fatal(err)
	}
}

func TestAnswerThatDoesNotComeIsUnknown(t *testing.T) {
	restart, p, _ := alone(t)
	mute(t, p, "QUEUE")
	mute(t, p, "KV_STATE")
	key := driver.Key{Space: driver.Records, Name: "a"}

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.store.Write(ctx, []driver.Write{{Key: key}})[0].Err; !errors.Is(err, driver.ErrUnknown) {
		t.Errorf("write: got %v, want ErrUnknown", err)
	}
	if err := p.broker.Put(ctx, []driver.Message{call(greet, "x")})[0].Err; err == nil || errors.Is(err, driver.ErrUnknown) {
		t.Errorf("put when the context has ended: got %v, want that nothing was stored", err)
	}
	unknown := make(chan error, 1)
	go func() { unknown <- p.broker.Put(t.Context(), []driver.Message{call(greet, "a")})[0].Err }()
	for !stands(t, p.broker, "a") {
	}
	restart()
	if err := <-unknown; !errors.Is(err, driver.ErrUnknown) {
		t.Errorf("put over a broken connection: got %v, want ErrUnknown", err)
	}
}

func TestRefusalOfTheServerIsNoUnknownAnswer(t *testing.T) {
	t.Parallel()
	p := settle(t)
	if err := p.js.DeleteStream(t.Context(), p.stream("KV_STATE")); err != nil {
		t.Fatal(err)
	}
	key := driver.Key{Space: driver.Records, Name: "a"}
	for what, err := range map[string]error{
		"stream gone": p.store.Write(patiently(t), []driver.Write{{Key: key}})[0].Err,
		"too large":   p.broker.Put(patiently(t), []driver.Message{{Route: driver.Ready, Queue: "q", Name: "n", Body: make([]byte, 2<<20)}})[0].Err,
		"bad key":     p.store.Write(patiently(t), []driver.Write{{Key: driver.Key{Space: driver.Records, Name: "a b"}}})[0].Err,
		"bad id":      p.broker.Remove(patiently(t), "*"),
	} {
		if err == nil || errors.Is(err, driver.ErrUnknown) {
			t.Errorf("%s: got %v, want that nothing was stored", what, err)
		}
	}
	if _, err := p.store.Watch(t.Context(), []driver.Key{{Space: driver.Workers, Name: "a"}}); err == nil {
		t.Error("heartbeats can be watched")
	}
}
