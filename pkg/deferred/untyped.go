package deferred

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// Each codec has types of its own for what is decoded into an interface: JSON makes
// every number a float64, which rounds, and MessagePack takes the width that a number
// happens to be written in. So what was decoded is gone through, and its interfaces get
// the types that [Content.Decode] names.

// unmarshalJSON is [json.Unmarshal] with exact numbers.
func unmarshalJSON(data []byte, v any) error {
	if !untypedJSON.in(reflect.TypeOf(v)) || !json.Valid(data) {
		return json.Unmarshal(data, v) // which says best what is wrong
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return err
	}
	return retype(v, untypedJSON)
}

// retype gives what v points to the types that both codecs have.
func retype(v any, u *untypedTypes) error {
	return (&retyper{untyped: u, met: map[place]bool{}}).walk(reflect.ValueOf(v))
}

// retyper goes through a value. What was there before the decoding may be a ring.
type retyper struct {
	untyped *untypedTypes
	met     map[place]bool
}

// place is what a pointer points to.
type place struct {
	at uintptr
	of reflect.Type
}

func (r *retyper) walk(v reflect.Value) error {
	if !r.untyped.in(v.Type()) {
		return nil
	}
	switch v.Kind() {
	case reflect.Interface:
		return r.held(v)
	case reflect.Pointer:
		to := place{v.Pointer(), v.Type()}
		if v.IsNil() || r.met[to] {
			return nil
		}
		r.met[to] = true
		return r.walk(v.Elem())
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := r.walk(v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		return r.entries(v)
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); !f.IsExported() && !f.Anonymous {
				continue
			}
			if err := r.walk(v.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// held is what an interface holds. A pointer was there before.
func (r *retyper) held(v reflect.Value) error {
	if v.IsNil() || !v.CanSet() {
		return nil
	}
	if v.Elem().Kind() == reflect.Pointer {
		return r.walk(v.Elem())
	}
	if v.NumMethod() > 0 {
		return nil
	}
	typed, err := retyped(v.Interface())
	if err == nil {
		v.Set(reflect.ValueOf(typed))
	}
	return err
}

// entries are taken out and put back, since a map's own cannot be set. A key that is
// not equal to itself cannot be found again.
func (r *retyper) entries(m reflect.Value) error {
	if !m.CanSet() { // nothing was decoded into it
		return nil
	}
	for _, key := range m.MapKeys() {
		value := m.MapIndex(key)
		if !value.IsValid() {
			continue
		}
		k, v := reflect.New(key.Type()).Elem(), reflect.New(value.Type()).Elem()
		k.Set(key)
		v.Set(value)
		for _, part := range []reflect.Value{k, v} {
			if err := r.walk(part); err != nil {
				return err
			}
		}
		m.SetMapIndex(key, reflect.Value{})
		m.SetMapIndex(k, v)
	}
	return nil
}

// retyped is what was decoded into an interface, in its type.
func retyped(v any) (_ any, err error) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			if v[i], err = retyped(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = retyped(v[k]); err != nil {
				return nil, err
			}
		}
	case json.Number:
		return numberOf(string(v))
	case int8:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case uint8:
		return int64(v), nil
	case uint16:
		return int64(v), nil
	case uint32:
		return int64(v), nil
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v), nil
		}
	case float32:
		return float64(v), nil
	}
	return v, nil
}

// numberOf is a number of JSON: an integer if it is written as one.
func numberOf(text string) (any, error) {
	if !strings.ContainsAny(text, ".eE") {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseUint(text, 10, 64); err == nil {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, &json.UnmarshalTypeError{Value: "number " + text, Type: reflect.TypeFor[float64]()}
	}
	return f, nil
}

// untypedMap decodes a map into an interface. Its keys become what they are in JSON.
func untypedMap(d *msgpack.Decoder) (any, error) {
	n, err := d.DecodeMapLen()
	m := make(map[string]any, max(n, 0)) // no longer than the input, which was walked before
	for i := 0; i < n && err == nil; i++ {
		var key string
		if key, err = untypedKey(d); err == nil {
			m[key], err = d.DecodeInterface()
		}
	}
	return m, err
}

func untypedKey(d *msgpack.Decoder) (key string, err error) {
	if code, err := d.PeekCode(); err != nil || msgpcode.IsString(code) {
		return d.DecodeString()
	}
	raw, err := d.DecodeRaw()
	if err != nil {
		return "", err
	}
	text, _ := keyToJSON(nil, raw)
	return key, json.Unmarshal(text, &key)
}
