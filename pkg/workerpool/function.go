package workerpool

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"zasync/pkg/deferred"
)

// Function makes any function the handler of a name. After an optional
// [context.Context] it may have
//
//   - no parameter: the arguments of the call are ignored,
//   - one parameter, which takes the arguments as they are,
//   - several, or a variadic one, which take the elements of a list,
//
// and it may return nothing, an error, a result, or a result and an error. A
// result that is a [*deferred.Deferred] is adopted: its outcome becomes the
// call's. A function of another form is an error, and so is what [Mux.Handle] panics for.
func (m *Mux) Function(name string, fn any) error {
	f, err := inspect(fn)
	if err != nil {
		return fmt.Errorf("workerpool: register %q: %T: %w", name, fn, err)
	}
	return m.add(name, f.handle)
}

// function is what is known about the form of a function.
type function struct {
	value    reflect.Value
	context  bool           // the first parameter is the context
	params   []reflect.Type // the others; of a variadic one its elements' type
	variadic bool
	result   bool
	fails    bool // the last result is an error
}

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

func inspect(fn any) (*function, error) {
	f := &function{value: reflect.ValueOf(fn)}
	if f.value.Kind() != reflect.Func || f.value.IsNil() {
		return nil, errors.New("it is not a function")
	}
	if err := f.inspectParams(); err != nil {
		return nil, err
	}
	return f, f.inspectResults()
}

func (f *function) inspectParams() error {
	t := f.value.Type()
	f.params = slices.Collect(t.Ins())
	if len(f.params) > 0 && f.params[0] == contextType {
		f.context, f.params = true, f.params[1:]
	}
	f.variadic = t.IsVariadic()
	if f.variadic {
		last := &f.params[len(f.params)-1]
		*last = (*last).Elem()
	}
	for _, p := range f.params {
		switch {
		case p == contextType:
			return errors.New("the context must be the first parameter")
		case !isData(p):
			return fmt.Errorf("no arguments can be decoded into a parameter of type %s", p)
		}
	}
	return nil
}

func (f *function) inspectResults() error {
	results := slices.Collect(f.value.Type().Outs())
	if n := len(results); n > 0 && results[n-1] == errorType {
		f.fails, results = true, results[:n-1]
	}
	switch {
	case len(results) == 0:
		return nil
	case len(results) > 1:
		return errors.New("it must return nothing, an error, a result, or a result and an error")
	case results[0].Implements(errorType):
		// A nil pointer in it would be an error that is not nil.
		return fmt.Errorf("its error must be declared as error, not as %s, and come last", results[0])
	case !isData(results[0]):
		return fmt.Errorf("a result of type %s cannot be encoded", results[0])
	}
	f.result = true
	return nil
}

// adopted is what a handler gives that returns another deferred. None at all is
// no result.
func adopted(d *deferred.Deferred) (deferred.Content, error) {
	if d == nil {
		return deferred.Content{}, nil
	}
	return deferred.Content{}, deferred.Adopt(d)
}

// isData tells types that never can be encoded from those that may. What is
// inside of a type shows when a call brings it.
func isData(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Interface:
		return t.NumMethod() == 0
	default:
		return true
	}
}

func (f *function) handle(ctx context.Context, in deferred.Content) (deferred.Content, error) {
	args, err := f.arguments(in)
	if err != nil {
		return deferred.Content{}, err
	}
	if f.context {
		args = slices.Insert(args, 0, reflect.ValueOf(ctx))
	}
	results := f.value.Call(args)
	if f.fails {
		if err, _ := results[len(results)-1].Interface().(error); err != nil {
			return deferred.Content{}, err
		}
	}
	if !f.result {
		return deferred.Content{}, nil
	}
	if d, ok := results[0].Interface().(*deferred.Deferred); ok {
		return adopted(d)
	}
	return encode(in.Type, results[0].Interface())
}

func (f *function) arguments(in deferred.Content) ([]reflect.Value, error) {
	if len(f.params) == 0 {
		return nil, nil
	}
	elements := []deferred.Content{in}
	if len(f.params) > 1 || f.variadic {
		var err error
		if elements, err = f.spread(in); err != nil {
			return nil, err
		}
	}
	args := make([]reflect.Value, len(elements))
	for i, e := range elements {
		arg := reflect.New(f.params[min(i, len(f.params)-1)])
		if err := decode(e, arg.Interface()); err != nil {
			return nil, err
		}
		args[i] = arg.Elem()
	}
	return args, nil
}

// spread takes a list apart into one content for each parameter.
func (f *function) spread(in deferred.Content) ([]deferred.Content, error) {
	var list []element
	if err := in.Decode(&list); err != nil {
		return nil, badArguments(fmt.Errorf("%s takes a list: %w", f.value.Type(), err))
	}
	fixed := len(f.params)
	if f.variadic {
		fixed--
	}
	if len(list) < fixed || len(list) > fixed && !f.variadic {
		return nil, badArguments(fmt.Errorf("%s takes a list of %d, not of %d", f.value.Type(), fixed, len(list)))
	}
	contents := make([]deferred.Content, len(list))
	for i, data := range list {
		contents[i] = deferred.Content{Type: in.Type, Data: data}
	}
	return contents, nil
}

// element is an element of a list, left in the codec of the list.
type element []byte

// UnmarshalJSON keeps the text.
func (e *element) UnmarshalJSON(data []byte) error {
	*e = slices.Clone(data)
	return nil
}

// UnmarshalMsgpack keeps the bytes.
func (e *element) UnmarshalMsgpack(data []byte) error {
	*e = slices.Clone(data)
	return nil
}
