package workerpool

import (
	"context"
	"errors"
	"fmt"

	"zasync/pkg/deferred"
)

// Register makes fn the handler of f. The arguments may come in any codec; the
// result goes back in that of the arguments. Arguments that do not decode into
// an A, and a result that cannot be encoded, are permanent failures: another
// attempt would meet the same. Register panics where [Mux.Handle] does.
func Register[A, R any](m *Mux, f deferred.Func[A, R], fn func(context.Context, A) (R, error)) {
	if fn == nil {
		panic(fmt.Sprintf("workerpool: the handler of %q is nil", string(f)))
	}
	m.mustAdd(string(f), func(ctx context.Context, in deferred.Content) (deferred.Content, error) {
		var args A
		if err := decode(in, &args); err != nil {
			return deferred.Content{}, err
		}
		result, err := fn(ctx, args)
		if err != nil {
			return deferred.Content{}, err
		}
		return encode(in.Type, result)
	})
}

// RegisterDeferred makes fn the handler of f, where fn gives another deferred,
// of the same queue, whose outcome becomes the call's. The slot is free meanwhile.
func RegisterDeferred[A, R any](m *Mux, f deferred.Func[A, R], fn func(context.Context, A) (*deferred.Deferred, error)) {
	if fn == nil {
		panic(fmt.Sprintf("workerpool: the handler of %q is nil", string(f)))
	}
	m.mustAdd(string(f), func(ctx context.Context, in deferred.Content) (deferred.Content, error) {
		var args A
		if err := decode(in, &args); err != nil {
			return deferred.Content{}, err
		}
		d, err := fn(ctx, args)
		if err != nil {
			return deferred.Content{}, err
		}
		return adopted(d)
	})
}

func decode(in deferred.Content, v any) error {
	if err := in.Decode(v); err != nil {
		return badArguments(err)
	}
	return nil
}

func encode(contentType string, v any) (deferred.Content, error) {
	if c, ok := v.(deferred.Content); ok {
		return checked(c)
	}
	c, err := deferred.EncodeAs(contentType, v)
	if err != nil {
		return deferred.Content{}, badResult(err)
	}
	return c, nil
}

// checked vouches for content that a handler encoded by itself, because text
// that only claims to be JSON would spoil the record that it is stored in.
func checked(c deferred.Content) (deferred.Content, error) {
	if err := c.Check(); err != nil {
		return deferred.Content{}, badResult(err)
	}
	return c, nil
}

func badArguments(err error) error {
	return deferred.Permanent(&kindError{deferred.KindBadArguments, fmt.Errorf("workerpool: arguments: %w", err)})
}

func badResult(err error) error {
	return deferred.Permanent(&kindError{deferred.KindResultCodec, fmt.Errorf("workerpool: result: %w", err)})
}

// kindError is an error of one of the kinds that zasync itself gives.
type kindError struct {
	kind string
	err  error
}

func (e *kindError) Error() string { return e.err.Error() }
func (e *kindError) Kind() string  { return e.kind }

// Unwrap skips e.err itself, whose message the chain of causes would repeat.
func (e *kindError) Unwrap() error { return errors.Unwrap(e.err) }
