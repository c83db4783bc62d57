package workerpool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"zasync/pkg/deferred"
)

// A Handler performs calls in their encoded form. [Register] and
// [Mux.Function] make handlers of ordinary functions.
type Handler func(ctx context.Context, in deferred.Content) (deferred.Content, error)

// A Mux knows which handler performs the calls of a name. The zero Mux is empty
// and ready to use. Fill it before the pool runs: a pool keeps to what it finds
// when it starts. A Mux is not safe for concurrent registration.
type Mux struct {
	handlers map[string]Handler
	wrappers []func(Handler) Handler
}

// Handle makes h the handler of the calls of a name. It panics if the name is
// not a valid one or has a handler already: both are mistakes in the program,
// better found when it starts than when the first call comes.
//
// The result is checked to be what its content type says; one that is not is a
// permanent failure.
func (m *Mux) Handle(name string, h Handler) {
	if h == nil {
		panic(fmt.Sprintf("workerpool: the handler of %q is nil", name))
	}
	m.mustAdd(name, func(ctx context.Context, in deferred.Content) (deferred.Content, error) {
		result, err := h(ctx, in)
		if err != nil {
			return deferred.Content{}, err
		}
		return checked(result)
	})
}

// Use wraps every handler of the mux, also those that are registered later. Of
// several wrappers the first is the outermost. A wrapper learns from
// [deferred.AttemptFrom] which call it is about.
func (m *Mux) Use(wrapper func(Handler) Handler) { m.wrappers = append(m.wrappers, wrapper) }

// Names lists the names that have a handler, sorted.
func (m *Mux) Names() []string { return slices.Sorted(maps.Keys(m.handlers)) }

func (m *Mux) mustAdd(name string, h Handler) {
	if err := m.add(name, h); err != nil {
		panic(err.Error())
	}
}

func (m *Mux) add(name string, h Handler) error {
	if err := deferred.CheckName(name); err != nil {
		return fmt.Errorf("workerpool: register %q: %w", name, err)
	}
	if m.handlers[name] != nil {
		return fmt.Errorf("workerpool: register %q: %w", name, errRegistered)
	}
	if m.handlers == nil {
		m.handlers = map[string]Handler{}
	}
	m.handlers[name] = h
	return nil
}

var errRegistered = errors.New("the name has a handler already")

// wrapped is the handler of a name inside all wrappers.
func (m *Mux) wrapped(name string) Handler {
	h := m.handlers[name]
	for _, wrap := range slices.Backward(m.wrappers) {
		h = wrap(h)
	}
	return h
}
