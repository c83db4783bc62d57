package jetstream_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"zasync/pkg/dispatch/driver"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
)

// asked waits until so many lanes have asked for their consumers.
func (p *place) asked(t *testing.T, n int) (wait func()) {
	t.Helper()
	var mu sync.Mutex
	var once sync.Once
	names, all := map[string]bool{}, make(chan struct{})
	sub, err := p.nc.Subscribe("$JS.API.CONSUMER.CREATE."+p.stream("QUEUE")+".>", func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if names[m.Subject] = true; len(names) == n {
			once.Do(func() { close(all) })
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	return func() {
		select {
		case <-all:
		case <-patiently(t).Done():
			t.Fatal("not all lanes have asked for their consumers")
		}
	}
}

func TestLanesThatCannotBeServedForOneCauseAreSaidInOneLine(t *testing.T) {
	const many = 100
	for cause, alter := range map[string]func(*natsjs.StreamConfig){
		"no more consumers": func(c *natsjs.StreamConfig) { c.MaxConsumers = 1 },
		"ack_wait":          nil, // each has a consumer by hand with a short lease
	} {
		t.Run(cause, func(t *testing.T) {
			p, l := claim(t), new(lines)
			p.config.Logger = l.logger()
			p.open(t)
			if alter != nil {
				p.replace(t, alteration{stream: "QUEUE", alter: alter})
				put(t, p.broker, call(greet, "a"))
				next(t, subscribe(t, p.broker, 1, greet))
			}
			var lanes []driver.Lane
			for i := range many {
				lanes = append(lanes, laneOf(i+1))
				if alter == nil {
					p.shortLease(t, lanes[i])
				}
			}
			wait := p.asked(t, many)
			subscribe(t, p.broker, 1, lanes...)
			wait()
			if n := l.count("lane cannot be served"); n != 1 || l.count("level=ERROR", cause) != 1 {
				t.Errorf("%d lines for one cause:\n%s", n, l)
			}
		})
	}
}

func (p *place) shortLease(t *testing.T, l driver.Lane) {
	t.Helper()
	if _, err := p.js.CreateConsumer(patiently(t), p.stream("QUEUE"), natsjs.ConsumerConfig{
		Durable: fmt.Sprintf("%s+%s", l.Queue, l.Name), FilterSubject: fmt.Sprintf("%s.q.%s.%s.>", p.config.Namespace, l.Queue, l.Name),
		AckPolicy: natsjs.AckExplicitPolicy, MaxDeliver: -1, MaxAckPending: -1, AckWait: 1e6,
	}); err != nil {
		t.Fatal(err)
	}
}

func TestLanesThatAreServedAgainAreSaidInOneLine(t *testing.T) {
	t.Parallel()
	p, l := claim(t), new(lines)
	p.config.Logger = l.logger()
	p.open(t)
	lanes := []driver.Lane{laneOf(1), laneOf(2), laneOf(3)}
	for _, lane := range lanes {
		p.shortLease(t, lane)
	}
	wait := p.asked(t, len(lanes))
	subscribe(t, p.broker, 1, lanes...)
	wait()
	waitFor(t, "it is said", func() bool { return l.count("lane cannot be served") > 0 })
	for _, lane := range lanes {
		if err := p.js.DeleteConsumer(patiently(t), p.stream("QUEUE"), lane.Queue+"+"+lane.Name); err != nil {
			t.Fatal(err)
		}
	}
	p.delete(t, "KV_STATE")
	waitFor(t, "who reads is told that the stream is missing", func() bool { // that has the lanes tried at once
		_, err := p.store.ReadLatest(patiently(t), []driver.Key{{Space: driver.Records, Name: "a"}})
		return errors.Is(err, driver.ErrMissing)
	})
	waitFor(t, "it is said to be over", func() bool { return l.count("all lanes are served again") > 0 })
	if n := l.count("all lanes are served again"); n != 1 {
		t.Errorf("that is said %d times", n)
	}
}
