package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ways are the ways of waiting, on a call that nobody performs.
var ways = map[string]func(ctx context.Context, q *dispatch.Queue, d *deferred.Deferred) error{
	"await": func(ctx context.Context, _ *dispatch.Queue, d *deferred.Deferred) error {
		_, err := d.Await(ctx)
		return err
	},
	"watch": func(ctx context.Context, _ *dispatch.Queue, d *deferred.Deferred) (last error) {
		for _, err := range d.Watch(ctx) {
			last = err
		}
		return last
	},
	"await annotation": func(ctx context.Context, _ *dispatch.Queue, d *deferred.Deferred) error {
		_, err := d.AwaitAnnotation(ctx, "never", nil)
		return err
	},
	"fetch": func(ctx context.Context, q *dispatch.Queue, _ *deferred.Deferred) error {
		feed, err := q.Join(ctx, deferred.Worker{Name: "worker"})
		if err != nil {
			return err
		}
		_, err = feed.Next(ctx)
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_ = feed.Leave(short) // it says goodbye to nobody
		return err
	},
}

// waitingOn has everybody wait on a call over a connection, and gives how each ended.
func waitingOn(t *testing.T, nc *nats.Conn, c jetstream.Config) (ended func() map[string]error) {
	t.Helper()
	q, err := jetstream.Open(patiently(t), nc, c)
	if err != nil {
		t.Fatal(err)
	}
	d, err := deferred.SubmitOne(patiently(t), q, deferred.Call{Name: "unserved"})
	if err != nil {
		t.Fatal(err)
	}
	before := nc.NumSubscriptions()
	ctx := patiently(t)
	var mu sync.Mutex
	errs := map[string]error{}
	var waiting sync.WaitGroup
	for name, wait := range ways {
		waiting.Go(func() {
			err := wait(ctx, q, d)
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	eventually(t, "all wait", func() bool { return nc.NumSubscriptions() >= before+len(ways)+1 }) // a watch has two
	return func() map[string]error { waiting.Wait(); return errs }
}

func allClosed(t *testing.T, ended func() map[string]error, because error) {
	t.Helper()
	for name, err := range ended() {
		if !errors.Is(err, driver.ErrClosed) || !errors.Is(err, because) {
			t.Errorf("%s ended with %v, want that the queue is closed because of %v", name, err, because)
		}
	}
}

func TestWhatWaitsEndsWhenItsConnectionIsClosed(t *testing.T) {
	p := settle(t)
	ended := waitingOn(t, p.nc, p.config)
	p.nc.Close()
	allClosed(t, ended, nats.ErrConnectionClosed)
}

// private is a server of one test, and how to end it and to start it again.
func private(t *testing.T, change func(*server.Options)) (url string, stop, start func()) {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	s := runServer(o)
	o.Port = s.Addr().(*net.TCPAddr).Port
	stop = func() { s.Shutdown(); s.WaitForShutdown() }
	t.Cleanup(func() { stop() })
	return s.ClientURL(), stop, func() {
		again := *o
		if change != nil {
			change(&again)
		}
		s = runServer(&again)
	}
}

func reconnecting(t *testing.T, url string, most int) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, nats.MaxReconnects(most), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func TestWhatWaitsEndsWhenItsConnectionHasGivenUp(t *testing.T) {
	url, stop, _ := private(t, nil)
	ended := waitingOn(t, reconnecting(t, url, 3), claim(t).config)
	stop()
	allClosed(t, ended, nats.ErrNoServers)
}

func TestWhatWaitsEndsWhenTheServerRefusesItsLoginTwice(t *testing.T) {
	url, stop, start := private(t, func(o *server.Options) { o.Username, o.Password = "joe", "secret" })
	ended := waitingOn(t, reconnecting(t, url, -1), claim(t).config)
	stop()
	start()
	allClosed(t, ended, nats.ErrAuthorization)
}

func TestWhatWaitsGoesOnWhenTheServerIsBack(t *testing.T) {
	t.Parallel()
	url, stop, start := private(t, nil)
	nc := reconnecting(t, url, -1)
	c := claim(t).config
	q, err := jetstream.Open(patiently(t), nc, c)
	if err != nil {
		t.Fatal(err)
	}
	call, token := deferred.NewPromise("p", "promise")
	if _, err := q.Submit(patiently(t), call); err != nil {
		t.Fatal(err)
	}
	ctx := patiently(t)
	var waiting sync.WaitGroup
	wait := func(what string, do func() error) {
		waiting.Go(func() {
			if err := do(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	wait("await", func() error { _, err := q.Await(ctx, call.ID); return err })
	wait("watch", func() error {
		for _, err := range q.Watch(ctx, call.ID) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	stop()
	eventually(t, "the connection is lost", func() bool { return !nc.IsConnected() })
	wait("watch that begins while the server is away", func() error {
		for _, err := range q.Watch(ctx, call.ID) {
			if err != nil {
				return err
			}
		}
		return nil
	})
	start()
	if err := deferred.ResolvePromise(ctx, q, token, 1); err != nil {
		t.Error(err)
	}
	waiting.Wait()
}

// A client that waits for the server to have heard it is told of a connection that
// breaks in the words of one that is closed.
func TestWhoBeginsToWaitWhileTheConnectionBreaksGoesOn(t *testing.T) {
	t.Parallel()
	_, p, l := alone(t)
	q := dispatch.New(p.store, p.broker, dispatch.Config{Logger: p.config.Logger})
	before := p.nc.NumSubscriptions()
	for i := range 10 {
		call, token := deferred.NewPromise(deferred.ID(fmt.Sprint("p", i)), "promise")
		if _, err := q.Submit(patiently(t), call); err != nil {
			t.Fatal(err)
		}
		watched := driver.Key{Space: driver.Records, Name: string(call.ID)}
		l.through.Lock()
		ctx, cancel := context.WithCancel(patiently(t))
		began := make(chan error, 1)
		go func() { _, err := p.store.Watch(ctx, []driver.Key{watched}); began <- err }()
		ended := make(chan error, 1)
		go func() { _, err := q.Await(ctx, call.ID); ended <- err }()
		eventually(t, "it has told the server, who has not heard it", func() bool { return p.nc.NumSubscriptions() > before })
		l.cut()
		l.through.Unlock()
		if err := <-began; errors.Is(err, driver.ErrClosed) {
			t.Errorf("the watch ended with %v", err)
		}
		l.mend()
		if err := deferred.ResolvePromise(patiently(t), q, token, 1); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Errorf("who waited was told %v", err)
		}
		cancel()
		eventually(t, "nobody waits any more", func() bool { return p.nc.NumSubscriptions() == before })
	}
}

func TestClosedQueueLeavesNothingOnItsConnection(t *testing.T) {
	p := settle(t)
	use := func() {
		q, err := jetstream.Open(patiently(t), p.nc, p.config)
		if err != nil {
			t.Fatal(err)
		}
		feed, err := q.Join(patiently(t), deferred.Worker{Name: "worker"})
		if err != nil {
			t.Fatal(err)
		}
		if err := feed.Leave(patiently(t)); err != nil {
			t.Error(err)
		}
		waiting := make(chan error, 1)
		go func() { _, err := q.Await(patiently(t), "never"); waiting <- err }()
		eventually(t, "it waits", func() bool { return p.listeners(t) > 0 })
		for range 2 {
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-waiting; !errors.Is(err, driver.ErrClosed) {
			t.Errorf("who waited was told %v", err)
		}
		if _, err := deferred.SubmitOne(patiently(t), q, deferred.Call{Name: "late"}); !errors.Is(err, driver.ErrClosed) {
			t.Errorf("submit after the close: %v", err)
		}
	}
	use() // the connection has things of its own for its first requests
	subscriptions, goroutines := p.nc.NumSubscriptions(), ours()
	for range 20 {
		use()
	}
	for range 100 {
		q, err := jetstream.Open(patiently(t), p.nc, p.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := p.nc.NumSubscriptions(); n != subscriptions {
		t.Errorf("%d subscriptions, %d before", n, subscriptions)
	}
	eventually(t, "the goroutines have ended", func() bool { return ours() <= goroutines })
}

// ours counts the goroutines of queues and of connections; there is a server in this
// process too.
func ours() (n int) {
	stacks := make([]byte, 16<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if strings.Contains(stack, "zasync/pkg/dispatch") || strings.Contains(stack, "nats-io/nats.go.(") {
			n++
		}
	}
	return n
}

// Who does not leave is ended by the close too.
func TestClosedQueueEndsTheSupplyOfItsWorkers(t *testing.T) {
	p := settle(t)
	before := p.nc.NumSubscriptions()
	sub := subscribe(t, p.broker, 1, greet)
	if err := p.broker.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Next(patiently(t)); !errors.Is(err, driver.ErrClosed) {
		t.Errorf("next: %v", err)
	}
	for name, err := range map[string]error{
		"put":  p.broker.Put(patiently(t), []driver.Message{call(greet, "a")})[0].Err,
		"find": func() error { _, err := p.broker.Find(patiently(t), "a"); return err }(),
		"list": func() error {
			for _, err := range p.store.List(patiently(t), driver.Query{Space: driver.Records}) {
				return err
			}
			return nil
		}(),
		"watch": func() error {
			_, err := p.store.Watch(patiently(t), []driver.Key{{Space: driver.Records, Name: "a"}})
			return err
		}(),
		"subscribe": func() error { _, err := p.broker.Subscribe(patiently(t)); return err }(),
	} {
		if !errors.Is(err, driver.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	eventually(t, "its subscriptions are gone", func() bool { return p.nc.NumSubscriptions() < before })
}
