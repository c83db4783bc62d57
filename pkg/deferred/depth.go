package deferred

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// The MessagePack library follows pointers without end: of a value that contains
// itself the stack overflows, which no recover catches. So a value whose type
// lets it contain itself is walked before it is encoded.

// maxSteps is how far the walk follows a value. What may be stored is nested less
// deep, and embedded structs and pointers take a step of the walk but no level.
const maxSteps = 10 * maxNesting

var errEndless = fmt.Errorf("it contains itself, or is nested deeper than %d", maxNesting)

// checkEndless reports a value of which the encoder would not find the end.
func checkEndless(v any) error {
	return walk(v, maxSteps)
}

// walk is walkValue without its cost for what handlers give that have no types.
func walk(v any, left int) error {
	if left == 0 {
		return errEndless
	}
	switch v := v.(type) {
	case nil, bool, int, int64, float64, string:
		return nil
	case []any:
		for _, element := range v {
			if err := walk(element, left-1); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		for _, value := range v {
			if err := walk(value, left-1); err != nil {
				return err
			}
		}
		return nil
	}
	return walkValue(reflect.ValueOf(v), left)
}

func walkValue(v reflect.Value, left int) error {
	if !v.IsValid() || !endlessType(v.Type()) {
		return nil
	}
	if left == 0 {
		return errEndless
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return walkValue(v.Elem(), left-1)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := walkValue(v.Index(i), left-1); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			if err := walkValue(it.Key(), left-1); err != nil {
				return err
			}
			if err := walkValue(it.Value(), left-1); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !encodedField(v.Type().Field(i)) {
				continue
			}
			if err := walkValue(v.Field(i), left-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// endlessTypes has what endlessType has found of each type.
var endlessTypes sync.Map

// endlessType reports whether a value of the type may contain another of the
// same type. An interface may contain anything.
func endlessType(t reflect.Type) bool {
	if known, ok := endlessTypes.Load(t); ok {
		return known.(bool)
	}
	endless := reaches(t, map[reflect.Type]bool{})
	endlessTypes.Store(t, endless)
	return endless
}

// reaches reports whether the way through the parts of a type meets one of those
// above, or an interface.
func reaches(t reflect.Type, above map[reflect.Type]bool) bool {
	if above[t] || t.Kind() == reflect.Interface {
		return true
	}
	if encodesItself(t) {
		return false
	}
	above[t] = true
	defer delete(above, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return reaches(t.Elem(), above)
	case reflect.Map:
		return reaches(t.Key(), above) || reaches(t.Elem(), above)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); encodedField(f) && reaches(f.Type, above) {
				return true
			}
		}
	}
	return false
}

// encodedField reports whether the encoder takes the field: as in the library, a
// tag for msgpack goes before that for json.
func encodedField(f reflect.StructField) bool {
	tag := f.Tag.Get("msgpack")
	if tag == "" {
		tag = f.Tag.Get("json")
	}
	name, _, _ := strings.Cut(tag, ",")
	return name != "-" && (f.IsExported() || f.Anonymous)
}

var ownEncoders = []reflect.Type{
	reflect.TypeFor[msgpack.CustomEncoder](), reflect.TypeFor[msgpack.Marshaler](),
	reflect.TypeFor[encoding.BinaryMarshaler](), reflect.TypeFor[encoding.TextMarshaler](),
}

// encodesItself reports whether a method of the type encodes it: the encoder
// does not look at its parts, and what the method does is up to the method.
func encodesItself(t reflect.Type) bool {
	for _, own := range ownEncoders {
		if t.Implements(own) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(own) {
			return true
		}
	}
	return false
}
