package jetstream_test

import (
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// side is one of two servers with JetStream.
type side struct {
	nc *nats.Conn
	js natsjs.JetStream
}

// hubAndLeaf are two servers, each with JetStream in a domain of its own.
func hubAndLeaf(t *testing.T) (hub, leaf side) {
	t.Helper()
	o := &server.Options{
		Host: "127.0.0.1", Port: -1, ServerName: "hub", JetStream: true, JetStreamDomain: "hub", StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		LeafNode: server.LeafNodeOpts{Host: "127.0.0.1", Port: -1},
	}
	hub.nc, hub.js = serve(t, o)
	remote := &server.RemoteLeafOpts{URLs: []*url.URL{{Scheme: "nats", Host: "127.0.0.1:" + strconv.Itoa(o.LeafNode.Port)}}}
	leaf.nc, leaf.js = serve(t, &server.Options{
		DontListen: true, ServerName: "leaf", JetStream: true, JetStreamDomain: "leaf", StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
		LeafNode: server.LeafNodeOpts{Remotes: []*server.RemoteLeafOpts{remote}},
	})
	meet(t, hub, leaf)
	return hub, leaf
}

// meet waits for the leaf to be connected: what is heard there is heard here.
func meet(t *testing.T, hub, leaf side) {
	t.Helper()
	sub, err := hub.nc.SubscribeSync("ping")
	if err == nil {
		err = hub.nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	for ctx := patiently(t); ctx.Err() == nil; {
		if err := leaf.nc.Publish("ping", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := sub.NextMsg(20 * time.Millisecond); err == nil {
			return
		}
	}
	t.Fatal("hub and leaf do not hear each other")
}

func TestQueueOfAnotherDomainIsReachedThroughALeaf(t *testing.T) {
	hub, leaf := hubAndLeaf(t)
	for what, c := range map[string]jetstream.Config{
		"by its domain": {Namespace: "one", Domain: "hub"},
		"by its prefix": {Namespace: "two", APIPrefix: "$JS.hub.API"},
	} {
		t.Run(what, func(t *testing.T) {
			q := openQueue(t, leaf.nc, c)
			upper := strings.ToUpper(c.Namespace)
			if _, err := hub.js.Stream(t.Context(), upper+"_QUEUE"); err != nil {
				t.Errorf("on the hub: %v", err)
			}
			if _, err := leaf.js.Stream(t.Context(), upper+"_QUEUE"); err == nil {
				t.Error("the leaf has a queue of its own")
			}
			feed := join(t, q, served)
			d, err := deferred.SubmitOne(patiently(t), q, deferred.Call{Name: served.Name, ID: "there"})
			if err != nil {
				t.Fatal(err)
			}
			perform(t, feed, succeeded(1))
			if _, err := d.Await(patiently(t)); err != nil {
				t.Error(err)
			}
			listed := 0
			for r, err := range q.List(patiently(t), dispatch.Filter{}) {
				if listed++; err != nil || r.ID != "there" {
					t.Errorf("listed: %s (%v)", r.ID, err)
				}
			}
			if listed != 1 {
				t.Errorf("%d are listed, want 1", listed)
			}
			if _, err := deferred.SubmitOne(patiently(t), q, deferred.Call{Name: served.Name, ID: "later", Delay: time.Hour}); err != nil {
				t.Fatal(err)
			}
			if err := q.Do(patiently(t), deferred.Command{Verb: deferred.Cancel, ID: "later"}); err != nil {
				t.Error(err)
			}
		})
	}
}

// loud counts the errors of a log that say so much.
type loud struct {
	slog.Handler
	says string
	n    *atomic.Int32
	come chan struct{}
}

func (l *loud) Enabled(context.Context, slog.Level) bool { return true }
func (l *loud) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelError && strings.Contains(r.Message, l.says) {
		l.n.Add(1)
		select {
		case l.come <- struct{}{}:
		default:
		}
	}
	return nil
}

func listener() *loud {
	return &loud{Handler: slog.DiscardHandler, says: "another installation", n: new(atomic.Int32), come: make(chan struct{}, 1)}
}

func TestInstallationsThatHearEachOtherSaySo(t *testing.T) {
	hub, leaf := hubAndLeaf(t)
	var logs []*loud
	for _, s := range []side{hub, leaf} {
		l := listener()
		logs = append(logs, l)
		_, b, err := jetstream.OpenPair(patiently(t), s.nc, jetstream.Config{QueueBytes: 1 << 20, Logger: slog.New(l)})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			subscribe(t, b, 1, greet)
		}
	}
	for _, l := range logs {
		select {
		case <-l.come:
		case <-patiently(t).Done():
			t.Fatal("one side has not said that there are two")
		}
	}
}

func TestWorkersOfOneInstallationAreNoStrangers(t *testing.T) {
	nc, js := small(t, 64)
	l := listener()
	c := jetstream.Config{QueueBytes: 1 << 20, Logger: slog.New(l)}
	_, b, err := jetstream.OpenPair(patiently(t), nc, c)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := nc.SubscribeSync("zasync.live.hello")
	if err != nil {
		t.Fatal(err)
	}
	said := func() {
		if _, err := sub.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	subscribe(t, b, 1, greet)
	said()
	if err := js.DeleteStream(t.Context(), "ZASYNC_QUEUE"); err != nil { // and it is made anew
		t.Fatal(err)
	}
	c.Remake = true
	_, b, err = jetstream.OpenPair(patiently(t), nc, c)
	if err != nil {
		t.Fatal(err)
	}
	subscribe(t, b, 1, greet)
	said()
	said() // the first, which was wrong about itself
	if l.n.Load() > 0 {
		t.Error("one is taken for two")
	}
}
