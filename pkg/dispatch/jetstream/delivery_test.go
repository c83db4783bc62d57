package jetstream_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// Everything is acknowledged at once, so nothing may come twice, and nothing
// may stay away, however the lanes and the credit fall together.
func TestManyLanesAreDrainedByManySubscriptionsExactlyOnce(t *testing.T) {
	p := claim(t)
	p.config.Lease = time.Minute
	p.open(t)
	const lanes, each, credit = 20, 500, 7
	ctx, finish := context.WithTimeout(t.Context(), 4*patience) // there is much to do
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
	const bursts = 25
	for burst := range bursts {
		var batch []driver.Message
		for i := range lanes * each / bursts {
			batch = append(batch, call(laneOf(i%lanes), fmt.Sprintf("%d-%d", burst, i)))
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

// A call is one message, from any client.
func TestPlainMessageOfAnyClientIsACall(t *testing.T) {
	p := settle(t)
	later, commands := driver.Lane{Route: driver.Later}, driver.Lane{Route: driver.Commands}
	sub := subscribe(t, p.broker, 1, greet, later, commands)
	for _, c := range []struct {
		subject string
		want    driver.Message // without an id: numbered
	}{
		{"q.default.greet", call(greet, "")},
		{"q.default.greet.x", call(greet, "x")},
		{"q.default.greet.p07.x", call(greet, "x")},
		{"later.default.greet", driver.Message{Route: driver.Later, Queue: "default", Name: "greet"}},
		{"later.gr€et.*.>", driver.Message{Route: driver.Later, Queue: "gr€et", Name: "*", ID: ">"}},
		{"do.cancel.x", driver.Message{Route: driver.Commands, Verb: "cancel", ID: "x"}},
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
	key := driver.Key{Space: driver.Records, Name: "a"}
	rev := p.store.Write(ctx, []driver.Write{{Key: key, Value: []byte("v")}})[0].Revision
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
	if got, err := p.store.Read(ctx, []driver.Key{key}); err != nil || string(got[0].Value) != "w" {
		t.Fatalf("read: %v, %v", got, err)
	}
	if _, err := p.js.PublishMsg(ctx, &nats.Msg{Subject: "$KV." + p.upper() + "_STATE.b", Header: nats.Header{"Nats-Rollup": {"all"}}}); err == nil {
		t.Fatal("a writer can wipe the bucket")
	}
}
