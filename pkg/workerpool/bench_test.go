package workerpool_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"zasync/pkg/deferred"
	"zasync/pkg/workerpool"
)

// endless offers one call again and again, for as long as fewer than credit are
// held; then it fails.
type endless struct {
	offer  deferred.Offer
	args   deferred.Content
	left   int
	credit chan struct{}
}

var errDone = errors.New("done")

func (e *endless) Join(context.Context, deferred.Worker) (deferred.Feed, error) { return e, nil }
func (e *endless) Want(deferred.Lane, int)                                      {}
func (e *endless) Leave(context.Context) error                                  { return nil }

func (e *endless) Next(context.Context) (deferred.Offer, error) {
	if e.left == 0 {
		return deferred.Offer{}, errDone
	}
	e.left--
	e.credit <- struct{}{}
	return e.offer, nil
}

func (e *endless) Claim(_ context.Context, o deferred.Offer) (*deferred.Attempt, error) {
	return &deferred.Attempt{Offer: o, Number: 1, Args: e.args}, nil
}

func (e *endless) Decline(deferred.Offer, string) { <-e.credit }

func (e *endless) Settle(context.Context, *deferred.Attempt, deferred.Outcome) error {
	<-e.credit
	return nil
}

// BenchmarkPool is the pool's own cost of one call: all of a call's life but the
// feed's part. The raw handler does nothing; the typed one decodes and encodes.
func BenchmarkPool(b *testing.B) {
	var m workerpool.Mux
	workerpool.Register(&m, "typed", func(_ context.Context, n int) (int, error) { return n, nil })
	m.Handle("raw", func(_ context.Context, in deferred.Content) (deferred.Content, error) { return deferred.Content{}, nil })
	for _, name := range []string{"raw", "typed"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			source := &endless{
				offer:  deferred.Offer{ID: "1", Lane: deferred.Lane{Queue: deferred.DefaultQueue, Name: name}},
				args:   jsonText("1"),
				left:   b.N,
				credit: make(chan struct{}, 110),
			}
			p := workerpool.Pool{Source: source, Mux: &m, Name: "bench", Logger: slog.New(slog.DiscardHandler)}
			if err := p.Run(b.Context()); !errors.Is(err, errDone) {
				b.Fatal(err)
			}
		})
	}
}
