package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
	"zasync/pkg/dispatch/jetstream"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

const patience = 30 * time.Second

var greet = dispatch.Lane{Route: dispatch.Ready, Queue: "default", Name: "greet"}

func patiently(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func call(l dispatch.Lane, id string) dispatch.Message {
	return dispatch.Message{Route: l.Route, Queue: l.Queue, Name: l.Name, ID: deferred.ID(id)}
}

func put(t testing.TB, b *jetstream.Broker, messages ...dispatch.Message) {
	t.Helper()
	for _, s := range b.Put(patiently(t), messages) {
		if s.Err != nil {
			t.Fatal(s.Err)
		}
	}
}

func subscribe(t testing.TB, b *jetstream.Broker, n int, lanes ...dispatch.Lane) dispatch.Subscription {
	t.Helper()
	sub, err := b.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Close() })
	for _, l := range lanes {
		sub.Want(l, n)
	}
	return sub
}

func next(t testing.TB, sub dispatch.Subscription) dispatch.Delivery {
	t.Helper()
	d, err := sub.Next(patiently(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func done(t testing.TB, b *jetstream.Broker, d dispatch.Delivery) {
	t.Helper()
	if err := b.Settle(t.Context(), []dispatch.Settlement{{Delivery: d, Verdict: dispatch.Done}}); err != nil {
		t.Fatal(err)
	}
}

func stands(t testing.TB, b *jetstream.Broker, id deferred.ID) bool {
	t.Helper()
	found, err := b.Find(patiently(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

// gone waits until the server has taken an acknowledgement in.
func gone(t testing.TB, b *jetstream.Broker, id deferred.ID) {
	t.Helper()
	for stands(t, b, id) {
	}
}

// Everything is acknowledged at once, so nothing may come twice, and nothing
// may stay away, however the lanes and the credit fall together.
func TestManyLanesAreDrainedByManySubscriptionsExactlyOnce(t *testing.T) {
	p := claim(t)
	p.config.Lease = time.Minute
	p.open(t)
	const lanes, each, credit = 20, 500, 7
	ctx, finish := context.WithCancel(patiently(t))
	defer finish()

	var mu sync.Mutex
	seen := map[deferred.ID]int{}
	var workers sync.WaitGroup
	for range 3 {
		sub := subscribe(t, p.broker, 0)
		for i := range lanes {
			sub.Want(laneOf(i), credit)
		}
		workers.Go(func() {
			for {
				d, err := sub.Next(ctx)
				if err != nil {
					return
				}
				done(t, p.broker, d)
				sub.Release(d.Lane(), 1)
				mu.Lock()
				if seen[d.ID]++; len(seen) == lanes*each {
					finish()
				}
				mu.Unlock()
			}
		})
	}
	for i := range each {
		var batch []dispatch.Message
		for l := range lanes {
			batch = append(batch, call(laneOf(l), fmt.Sprintf("%d-%d", l, i)))
		}
		put(t, p.broker, batch...)
	}
	workers.Wait()
	if len(seen) != lanes*each {
		t.Fatalf("%d of %d messages came", len(seen), lanes*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}

func laneOf(i int) dispatch.Lane {
	return dispatch.Lane{Route: dispatch.Ready, Queue: "default", Name: "lane" + strconv.Itoa(i)}
}

// A call is one message, from any client.
func TestPlainMessageOfAnyClientIsACall(t *testing.T) {
	p := settle(t)
	later, commands := dispatch.Lane{Route: dispatch.Later}, dispatch.Lane{Route: dispatch.Commands}
	sub := subscribe(t, p.broker, 1, greet, later, commands)
	for _, c := range []struct {
		subject string
		want    dispatch.Message // without an id: numbered
	}{
		{"q.default.greet", call(greet, "")},
		{"q.default.greet.x", call(greet, "x")},
		{"q.default.greet.p07.x", call(greet, "x")},
		{"later.default.greet", dispatch.Message{Route: dispatch.Later, Queue: "default", Name: "greet"}},
		{"later.gr€et.*.>", dispatch.Message{Route: dispatch.Later, Queue: "gr€et", Name: "*", ID: ">"}},
		{"do.cancel.x", dispatch.Message{Route: dispatch.Commands, Verb: "cancel", ID: "x"}},
	} {
		m := nats.NewMsg(p.config.Namespace + "." + c.subject)
		m.Data = []byte(`"world"`)
		m.Header = nats.Header{"zasync-begin-by": {"t"}, "Nats-Msg-Id": {c.subject}, "Other": {"o"}, "Status": {"404"}}
		ack, err := p.js.PublishMsg(patiently(t), m)
		if err != nil {
			t.Fatal(err)
		}
		d := next(t, sub)
		done(t, p.broker, d)
		sub.Release(d.Lane(), 1)
		c.want.Header, c.want.Body = map[string]string{"Zasync-Begin-By": "t"}, m.Data
		if c.want.ID == "" {
			c.want.ID = deferred.ID(strconv.FormatUint(ack.Sequence, 10))
		}
		if diff := cmp.Diff(c.want, d.Message); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.subject, diff)
		}
	}
	for _, mistyped := range []string{"q.default", "q.a.b.c.d.e", "later.x", "do.cancel", "do.cancel.x.y", "queue.default.greet"} {
		if _, err := p.js.Publish(patiently(t), p.config.Namespace+"."+mistyped, nil, natsjs.WithRetryAttempts(0)); err == nil {
			t.Errorf("%s was taken", mistyped)
		}
	}
}

func TestEntriesAreReadAndWatchedByPlainKeyValueClients(t *testing.T) {
	p, ctx := settle(t), patiently(t)
	kv, err := p.js.KeyValue(ctx, p.upper()+"_STATE")
	if err != nil {
		t.Fatal(err)
	}
	w, err := kv.Watch(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	key := dispatch.Key{Space: dispatch.Records, Name: "a"}
	rev := p.store.Write(ctx, []dispatch.Write{{Key: key, Value: []byte("v")}})[0].Revision
	e, err := kv.Get(ctx, "a")
	if err != nil || string(e.Value()) != "v" || e.Revision() != rev {
		t.Fatalf("get: %v, %v", e, err)
	}
	for e := range w.Updates() {
		if e != nil {
			if string(e.Value()) != "v" {
				t.Fatalf("watch: %v", e)
			}
			break
		}
	}
	if _, err := kv.Update(ctx, "a", []byte("w"), rev); err != nil {
		t.Fatal(err)
	}
	if got, err := p.store.Read(ctx, []dispatch.Key{key}); err != nil || string(got[0].Value) != "w" {
		t.Fatalf("read: %v, %v", got, err)
	}
	if _, err := p.js.PublishMsg(ctx, &nats.Msg{Subject: "$KV." + p.upper() + "_STATE.b", Header: nats.Header{"Nats-Rollup": {"all"}}}); err == nil {
		t.Fatal("a writer can wipe the bucket")
	}
}

// A consumer may be deleted while a pull request waits there, or while none is out.
func TestLaneWhoseConsumerVanishesIsServedOn(t *testing.T) {
	for what, standing := range map[string]bool{"while it is asked": true, "while it is not asked": false} {
		t.Run(what, func(t *testing.T) {
			p := settle(t)
			sub := subscribe(t, p.broker, 0)
			for _, id := range []string{"a", "b", "c"} {
				sub.Want(greet, 1)
				if id != "a" {
					p.waiting(t, "default+greet", standing)
				}
				put(t, p.broker, call(greet, id))
				d := next(t, sub)
				if string(d.ID) != id {
					t.Fatalf("%q came, want %q", d.ID, id)
				}
				done(t, p.broker, d)
				gone(t, p.broker, d.ID)
				if !standing {
					sub.Want(greet, 0)
				}
				sub.Release(greet, 1)
				if standing {
					p.waiting(t, "default+greet", true)
				}
				if err := p.js.DeleteConsumer(patiently(t), p.stream("QUEUE"), "default+greet"); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// waiting waits until a consumer has a pull request.
func (p *place) waiting(t *testing.T, consumer string, there bool) {
	t.Helper()
	for there {
		c, err := p.js.Consumer(patiently(t), p.stream("QUEUE"), consumer)
		if err != nil && !errors.Is(err, natsjs.ErrConsumerNotFound) {
			t.Fatal(err)
		}
		there = err != nil || c.CachedInfo().NumWaiting == 0
	}
}

func TestPausedLaneIsServedWhenItsPauseEnds(t *testing.T) {
	p := settle(t)
	sub := subscribe(t, p.broker, 2, greet)
	put(t, p.broker, call(greet, "before"))
	done(t, p.broker, next(t, sub))
	until := time.Now().Add(time.Second)
	if _, err := p.js.PauseConsumer(patiently(t), p.stream("QUEUE"), "default+greet", until); err != nil {
		t.Fatal(err)
	}
	put(t, p.broker, call(greet, "after"))
	if d := next(t, sub); d.Got.Before(until) {
		t.Fatalf("%q came %v before the end of the pause", d.ID, until.Sub(d.Got))
	}
}

// A consumer that somebody made by hand would lose calls by its limits.
func TestConsumerWithAWeakerSettingIsNotServed(t *testing.T) {
	for name, c := range map[string]natsjs.ConsumerConfig{
		"max_deliver":     {MaxDeliver: 5, MaxAckPending: -1},
		"max_ack_pending": {MaxDeliver: -1, MaxAckPending: 100},
		"ack_wait":        {MaxDeliver: -1, MaxAckPending: -1, AckWait: time.Millisecond},
		"backoff":         {MaxDeliver: -1, MaxAckPending: -1, BackOff: []time.Duration{time.Second, time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			log := newLog()
			p := claim(t)
			p.config.Logger = log.logger()
			p.open(t)
			c.Durable, c.FilterSubject, c.AckPolicy = "default+greet", p.config.Namespace+".q.default.greet.>", natsjs.AckExplicitPolicy
			if _, err := p.js.CreateConsumer(patiently(t), p.stream("QUEUE"), c); err != nil {
				t.Fatal(err)
			}
			subscribe(t, p.broker, 1, greet)
			var refusal *jetstream.SettingError
			if err := log.wait(t); !errors.As(err, &refusal) || refusal.Setting != name {
				t.Fatalf("got %v, want a refusal of %s", err, name)
			}
		})
	}
}

func TestConsumerThatDiffersHarmlesslyIsServed(t *testing.T) {
	p := settle(t)
	if _, err := p.js.CreateConsumer(patiently(t), p.stream("QUEUE"), natsjs.ConsumerConfig{
		Durable: "default+greet", FilterSubject: p.config.Namespace + ".q.default.greet.*", AckPolicy: natsjs.AckExplicitPolicy,
		MaxDeliver: -1, MaxAckPending: -1, AckWait: time.Hour, Description: "by hand",
	}); err != nil {
		t.Fatal(err)
	}
	put(t, p.broker, call(greet, "a"))
	next(t, subscribe(t, p.broker, 1, greet))
}

func TestLaneBeyondTheLimitOfConsumersSaysTheWayOut(t *testing.T) {
	log := newLog()
	p := claim(t)
	p.config.Logger = log.logger()
	p.open(t)
	p.replace(t, alteration{stream: "QUEUE", alter: func(c *natsjs.StreamConfig) { c.MaxConsumers = 1 }})
	put(t, p.broker, call(greet, "a"))
	next(t, subscribe(t, p.broker, 1, greet))
	subscribe(t, p.broker, 1, laneOf(1))
	var limit *jetstream.LaneLimitError
	if err := log.wait(t); !errors.As(err, &limit) || limit.Lane != laneOf(1) {
		t.Fatalf("got %v, want the limit", err)
	}
}

// alone is a server of one test, which can be stopped and started again.
func alone(t *testing.T) (restart func(), p *place) {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	s := runServer(o)
	o.Port = s.Addr().(*net.TCPAddr).Port
	stop := func() { s.Shutdown(); s.WaitForShutdown() }
	t.Cleanup(func() { stop() })
	nc, err := nats.Connect(s.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
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
	return func() { stop(); again := *o; s = runServer(&again) }, p
}

func TestDeliveriesResumeAfterARestartOfTheServer(t *testing.T) {
	restart, p := alone(t)
	idle, busy := laneOf(1), laneOf(2)
	sub := subscribe(t, p.broker, 3, idle, busy)
	for i := range 10 {
		put(t, p.broker, call(busy, fmt.Sprintf("busy%d", i)))
	}
	held := next(t, sub)
	for range 2 {
		restart()
		put(t, p.broker, call(idle, "idle"))
		for {
			d := next(t, sub)
			done(t, p.broker, d)
			sub.Release(d.Lane(), 1)
			if d.ID == "idle" {
				break
			}
		}
	}
	done(t, p.broker, held)
	sub.Release(busy, 1)
	for range 30 {
		if !stands(t, p.broker, "busy9") {
			return
		}
		d := next(t, sub)
		done(t, p.broker, d)
		sub.Release(d.Lane(), 1)
	}
	t.Fatal("the backlog was not served to its end")
}

func TestListIsCompleteInSpiteOfARestartOfTheServer(t *testing.T) {
	restart, p := alone(t)
	writes := make([]dispatch.Write, 3000)
	for i := range writes {
		writes[i] = dispatch.Write{Key: dispatch.Key{Space: dispatch.Records, Name: strconv.Itoa(i)}}
	}
	for _, w := range p.store.Write(patiently(t), writes) {
		if w.Err != nil {
			t.Fatal(w.Err)
		}
	}
	n := 0
	for _, err := range p.store.List(patiently(t), dispatch.Query{Space: dispatch.Records}) {
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
	restart, p := alone(t)
	mute(t, p, "QUEUE")
	mute(t, p, "KV_STATE")
	key := dispatch.Key{Space: dispatch.Records, Name: "a"}

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.store.Write(ctx, []dispatch.Write{{Key: key}})[0].Err; !errors.Is(err, dispatch.ErrUnknown) {
		t.Errorf("write: got %v, want ErrUnknown", err)
	}
	if err := p.broker.Put(ctx, []dispatch.Message{call(greet, "x")})[0].Err; err == nil || errors.Is(err, dispatch.ErrUnknown) {
		t.Errorf("put when the context has ended: got %v, want that nothing was stored", err)
	}
	unknown := make(chan error, 1)
	go func() { unknown <- p.broker.Put(t.Context(), []dispatch.Message{call(greet, "a")})[0].Err }()
	for !stands(t, p.broker, "a") {
	}
	restart()
	if err := <-unknown; !errors.Is(err, dispatch.ErrUnknown) {
		t.Errorf("put over a broken connection: got %v, want ErrUnknown", err)
	}
}

func TestRefusalOfTheServerIsNoUnknownAnswer(t *testing.T) {
	p := settle(t)
	if err := p.js.DeleteStream(t.Context(), p.stream("KV_STATE")); err != nil {
		t.Fatal(err)
	}
	key := dispatch.Key{Space: dispatch.Records, Name: "a"}
	for what, err := range map[string]error{
		"stream gone": p.store.Write(patiently(t), []dispatch.Write{{Key: key}})[0].Err,
		"too large":   p.broker.Put(patiently(t), []dispatch.Message{{Route: dispatch.Ready, Queue: "q", Name: "n", Body: make([]byte, 2<<20)}})[0].Err,
		"bad key":     p.store.Write(patiently(t), []dispatch.Write{{Key: dispatch.Key{Space: dispatch.Records, Name: "a b"}}})[0].Err,
		"bad id":      p.broker.Remove(patiently(t), "*"),
	} {
		if err == nil || errors.Is(err, dispatch.ErrUnknown) {
			t.Errorf("%s: got %v, want that nothing was stored", what, err)
		}
	}
	if _, err := p.store.Watch(t.Context(), []dispatch.Key{{Space: dispatch.Workers, Name: "a"}}); err == nil {
		t.Error("heartbeats can be watched")
	}
}
