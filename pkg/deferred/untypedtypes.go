package deferred

import (
	"encoding"
	"encoding/json"
	"reflect"
	"sync"

	"github.com/vmihailenco/msgpack/v5"
)

// untypedTypes finds the types in which a codec decodes into an interface.
type untypedTypes struct {
	own   []reflect.Type // of what decodes itself
	known sync.Map       // what was found of each type
}

var (
	textDecoder  = reflect.TypeFor[encoding.TextUnmarshaler]()
	untypedJSON  = &untypedTypes{own: []reflect.Type{textDecoder, reflect.TypeFor[json.Unmarshaler]()}}
	untypedPacks = &untypedTypes{own: []reflect.Type{
		textDecoder, reflect.TypeFor[encoding.BinaryUnmarshaler](), reflect.TypeFor[msgpack.CustomDecoder](), reflect.TypeFor[msgpack.Unmarshaler](),
	}}
)

// in reports whether an interface may be decoded into somewhere in the type.
func (u *untypedTypes) in(t reflect.Type) bool {
	if known, ok := u.known.Load(t); ok {
		return known.(bool)
	}
	found := u.reached(t, map[reflect.Type]bool{})
	u.known.Store(t, found)
	return found
}

// reached leaves out what decodes itself: that chooses its types.
func (u *untypedTypes) reached(t reflect.Type, met map[reflect.Type]bool) bool {
	if t.Kind() == reflect.Interface {
		return true
	}
	if met[t] || u.decodesItself(t) {
		return false
	}
	met[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return u.reached(t.Elem(), met)
	case reflect.Map:
		return u.reached(t.Key(), met) || u.reached(t.Elem(), met)
	case reflect.Struct:
		for i := range t.NumField() {
			if u.reached(t.Field(i).Type, met) {
				return true
			}
		}
	}
	return false
}

// decodesItself reports whether a method of the type decodes into it.
func (u *untypedTypes) decodesItself(t reflect.Type) bool {
	for _, own := range u.own {
		if t.Implements(own) || t.Kind() != reflect.Pointer && reflect.PointerTo(t).Implements(own) {
			return true
		}
	}
	return false
}
