package jetstream_test

import (
	"errors"
	"testing"
	"time"

	"zasync/pkg/dispatch/jetstream"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// A consumer may be deleted while a pull request waits there, or while none is out.
func TestLaneWhoseConsumerVanishesIsServedOn(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
