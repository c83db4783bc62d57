package jetstream_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"zasync/pkg/dispatch/driver"
	"zasync/pkg/dispatch/jetstream"

	natsjs "github.com/nats-io/nats.go/jetstream"
)

// fill puts b.N calls, spread over the lanes.
func fill(b *testing.B, broker *jetstream.Broker, lanes int) {
	b.Helper()
	messages := make([]driver.Message, b.N)
	for i := range messages {
		messages[i] = call(laneOf(i%lanes), strconv.Itoa(i))
	}
	put(b, broker, messages...)
}

// BenchmarkDrain takes and finishes calls one by one, as a worker with so many
// slots and nothing to do.
func BenchmarkDrain(b *testing.B) {
	for _, lanes := range []int{1, 20, 200} {
		for _, credit := range []int{10, 100, 1000} {
			b.Run(fmt.Sprintf("lanes=%d/credit=%d", lanes, credit), func(b *testing.B) {
				p := settle(b)
				fill(b, p.broker, lanes)
				sub := subscribe(b, p.broker, 0)
				ctx := b.Context()
				b.ResetTimer()
				for i := range lanes {
					sub.Want(laneOf(i), credit)
				}
				for range b.N {
					d, err := sub.Next(ctx)
					if err != nil {
						b.Fatal(err)
					}
					done(b, p.broker, d)
					sub.Release(d.Lane(), 1)
				}
			})
		}
	}
}

// BenchmarkFetch is what BenchmarkDrain is measured against.
func BenchmarkFetch(b *testing.B) {
	for _, batch := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			p := settle(b)
			fill(b, p.broker, 1)
			c, err := p.js.CreateConsumer(b.Context(), p.stream("QUEUE"), natsjs.ConsumerConfig{
				Durable: "plain", FilterSubject: p.config.Namespace + ".q.default.lane0.>", AckPolicy: natsjs.AckExplicitPolicy, MaxAckPending: -1,
			})
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for n := 0; n < b.N; {
				messages, err := c.Fetch(batch, natsjs.FetchMaxWait(time.Second))
				if err != nil {
					b.Fatal(err)
				}
				for m := range messages.Messages() {
					if err := m.Ack(); err != nil {
						b.Fatal(err)
					}
					n++
				}
			}
		})
	}
}

// BenchmarkIdle is the time from before a call is published until it is there.
func BenchmarkIdle(b *testing.B) {
	for _, lanes := range []int{1, 20} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) {
			p := settle(b)
			sub := subscribe(b, p.broker, 0)
			for i := range lanes {
				sub.Want(laneOf(i), 10)
			}
			put(b, p.broker, call(laneOf(0), "first"))
			last := next(b, sub)
			b.ResetTimer()
			for i := range b.N {
				done(b, p.broker, last)
				sub.Release(last.Lane(), 1)
				put(b, p.broker, call(laneOf(i%lanes), strconv.Itoa(i)))
				last = next(b, sub)
			}
		})
	}
}

// BenchmarkWrite updates records by compare-and-set, so many at once.
func BenchmarkWrite(b *testing.B) {
	for _, batch := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			p, ctx := settle(b), b.Context()
			value := make([]byte, 200)
			for n := 0; b.Loop(); n++ {
				writes := make([]driver.Write, batch)
				for i := range writes {
					writes[i] = driver.Write{Key: driver.Key{Space: driver.Records, Name: strconv.Itoa(n*batch + i)}, Value: value}
				}
				for _, w := range p.store.Write(ctx, writes) {
					if w.Err != nil {
						b.Fatal(w.Err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/write")
		})
	}
}

// BenchmarkPublishAsync is what BenchmarkWrite is measured against.
func BenchmarkPublishAsync(b *testing.B) {
	for _, batch := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			p := settle(b)
			value := make([]byte, 200)
			for n := 0; b.Loop(); n++ {
				futures := make([]natsjs.PubAckFuture, batch)
				for i := range futures {
					var err error
					subject := "$KV." + p.upper() + "_STATE." + strconv.Itoa(n*batch+i)
					if futures[i], err = p.js.PublishAsync(subject, value, natsjs.WithExpectLastSequencePerSubject(0)); err != nil {
						b.Fatal(err)
					}
				}
				for _, f := range futures {
					select {
					case <-f.Ok():
					case err := <-f.Err():
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/write")
		})
	}
}
