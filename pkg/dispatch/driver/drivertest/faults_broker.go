package drivertest

import (
	"context"
	"errors"
	"iter"
	"strings"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch/driver"
)

// A faultyBroker is the broker of one process under [Faults].
type faultyBroker struct {
	inner  driver.Broker
	faults *Faults
}

func (b faultyBroker) Put(ctx context.Context, messages []driver.Message) []driver.Stored {
	answers := make([]driver.Stored, len(messages))
	for i := range messages {
		answers[i] = b.put(ctx, messages[i])
	}
	return answers
}

func (b faultyBroker) put(ctx context.Context, m driver.Message) (answer driver.Stored) {
	err := b.faults.do(name("put", m), func() error {
		answer = b.inner.Put(ctx, []driver.Message{m})[0]
		return answer.Err
	})
	if err != nil {
		return driver.Stored{Err: err}
	}
	return answer
}

// name names an operation on a message for the trace.
func name(operation string, m driver.Message) string {
	words := []string{operation, string(m.Route)}
	for _, word := range []string{m.Verb, m.Queue, m.Name, string(m.ID)} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func (b faultyBroker) Settle(ctx context.Context, settlements []driver.Settlement) error {
	var errs []error
	for i := range settlements {
		errs = append(errs, b.settle(ctx, settlements[i]))
	}
	return errors.Join(errs...)
}

func (b faultyBroker) settle(ctx context.Context, s driver.Settlement) error {
	operation := func() error { return b.inner.Settle(ctx, []driver.Settlement{s}) }
	if s.Verdict == driver.Extend {
		if err := b.faults.alive(); err != nil {
			return err
		}
		return operation()
	}
	verb := "done"
	if s.Verdict == driver.GiveBack {
		verb = "give back"
	}
	err := b.faults.do(name(verb, s.Message), operation)
	if errors.Is(err, driver.ErrUnknown) {
		return nil // the word was sent; that is all that Settle ever tells
	}
	return err
}

func (b faultyBroker) Remove(ctx context.Context, id deferred.ID) error {
	return b.faults.do("remove "+string(id), func() error { return b.inner.Remove(ctx, id) })
}

func (b faultyBroker) Find(ctx context.Context, id deferred.ID) ([]driver.Delivery, error) {
	if err := b.faults.alive(); err != nil {
		return nil, err
	}
	return b.inner.Find(ctx, id)
}

func (b faultyBroker) Pending(ctx context.Context, p driver.Page) iter.Seq2[driver.Delivery, error] {
	if err := b.faults.alive(); err != nil {
		return Only[driver.Delivery](err)
	}
	return b.inner.Pending(ctx, p)
}

func (b faultyBroker) Subscribe(ctx context.Context) (driver.Subscription, error) {
	if err := b.faults.alive(); err != nil {
		return nil, err
	}
	s, err := b.inner.Subscribe(ctx)
	if err != nil {
		return nil, err
	}
	if !b.faults.enter(s) {
		return nil, errors.Join(ErrKilled, s.Close())
	}
	return faultySubscription{s, b.faults}, nil
}

// A faultySubscription is the supply of one process under [Faults].
type faultySubscription struct {
	inner  driver.Subscription
	faults *Faults
}

func (s faultySubscription) Want(lane driver.Lane, n int) {
	if s.faults.alive() == nil {
		s.inner.Want(lane, n)
	}
}

func (s faultySubscription) Release(lane driver.Lane, n int) {
	if s.faults.alive() == nil {
		s.inner.Release(lane, n)
	}
}

// Next asks twice whether the process lives: it may die, and the inner
// subscription be closed, while it waits.
func (s faultySubscription) Next(ctx context.Context) (driver.Delivery, error) {
	if s.faults.alive() == nil {
		d, err := s.inner.Next(ctx)
		if s.faults.alive() == nil {
			return d, err
		}
	}
	<-ctx.Done()
	return driver.Delivery{}, ctx.Err()
}

func (s faultySubscription) Health() error { return s.inner.Health() }

func (s faultySubscription) Close() error {
	if err := s.faults.alive(); err != nil {
		return err
	}
	return s.inner.Close()
}
