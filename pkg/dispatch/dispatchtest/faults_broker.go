package dispatchtest

import (
	"context"
	"errors"
	"iter"
	"strings"

	"zasync/pkg/deferred"
	"zasync/pkg/dispatch"
)

// A faultyBroker is the broker of one process under [Faults].
type faultyBroker struct {
	inner  dispatch.Broker
	faults *Faults
}

func (b faultyBroker) Put(ctx context.Context, messages []dispatch.Message) []dispatch.Stored {
	answers := make([]dispatch.Stored, len(messages))
	for i := range messages {
		answers[i] = b.put(ctx, messages[i])
	}
	return answers
}

func (b faultyBroker) put(ctx context.Context, m dispatch.Message) (answer dispatch.Stored) {
	err := b.faults.do(name("put", m), func() error {
		answer = b.inner.Put(ctx, []dispatch.Message{m})[0]
		return answer.Err
	})
	if err != nil {
		return dispatch.Stored{Err: err}
	}
	return answer
}

// name names an operation on a message for the trace.
func name(operation string, m dispatch.Message) string {
	words := []string{operation, string(m.Route)}
	for _, word := range []string{m.Verb, m.Queue, m.Name, string(m.ID)} {
		if word != "" {
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}

func (b faultyBroker) Settle(ctx context.Context, settlements []dispatch.Settlement) error {
	var errs []error
	for i := range settlements {
		errs = append(errs, b.settle(ctx, settlements[i]))
	}
	return errors.Join(errs...)
}

func (b faultyBroker) settle(ctx context.Context, s dispatch.Settlement) error {
	operation := func() error { return b.inner.Settle(ctx, []dispatch.Settlement{s}) }
	if s.Verdict == dispatch.Extend {
		if err := b.faults.alive(); err != nil {
			return err
		}
		return operation()
	}
	verb := "done"
	if s.Verdict == dispatch.GiveBack {
		verb = "give back"
	}
	err := b.faults.do(name(verb, s.Message), operation)
	if errors.Is(err, dispatch.ErrUnknown) {
		return nil // the word was sent; that is all that Settle ever tells
	}
	return err
}

func (b faultyBroker) Remove(ctx context.Context, id deferred.ID) error {
	return b.faults.do("remove "+string(id), func() error { return b.inner.Remove(ctx, id) })
}

func (b faultyBroker) Find(ctx context.Context, id deferred.ID) ([]dispatch.Delivery, error) {
	if err := b.faults.alive(); err != nil {
		return nil, err
	}
	return b.inner.Find(ctx, id)
}

func (b faultyBroker) Pending(ctx context.Context, p dispatch.Page) iter.Seq2[dispatch.Delivery, error] {
	if err := b.faults.alive(); err != nil {
		return only[dispatch.Delivery](err)
	}
	return b.inner.Pending(ctx, p)
}

func (b faultyBroker) Subscribe(ctx context.Context) (dispatch.Subscription, error) {
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
	inner  dispatch.Subscription
	faults *Faults
}

func (s faultySubscription) Want(lane dispatch.Lane, n int) {
	if s.faults.alive() == nil {
		s.inner.Want(lane, n)
	}
}

func (s faultySubscription) Release(lane dispatch.Lane, n int) {
	if s.faults.alive() == nil {
		s.inner.Release(lane, n)
	}
}

// Next asks twice whether the process lives: it may die, and the inner
// subscription be closed, while it waits.
func (s faultySubscription) Next(ctx context.Context) (dispatch.Delivery, error) {
	if s.faults.alive() == nil {
		d, err := s.inner.Next(ctx)
		if s.faults.alive() == nil {
			return d, err
		}
	}
	<-ctx.Done()
	return dispatch.Delivery{}, ctx.Err()
}

func (s faultySubscription) Health() error { return s.inner.Health() }

func (s faultySubscription) Close() error {
	if err := s.faults.alive(); err != nil {
		return err
	}
	return s.inner.Close()
}
