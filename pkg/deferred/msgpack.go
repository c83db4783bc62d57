package deferred

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"
)

// The MessagePack library believes the lengths that its input claims: nine
// bytes can make it allocate gigabytes, and deep nesting overflow the stack,
// which no recover catches. So everything that came from elsewhere is walked
// here first.

var (
	errTruncated = errors.New("it ends too early")
	errNesting   = fmt.Errorf("it is nested deeper than %d", maxNesting)
)

func marshalMessagePack(v any) ([]byte, error) {
	if err := checkEndless(v); err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.SetCustomStructTag("json")
	enc.UseCompactInts(true)
	enc.SetSortMapKeys(true)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	// A type that encodes itself can write anything.
	return buf.Bytes(), checkMessagePack(buf.Bytes())
}

// unmarshalMessagePack turns a panic into an error: a map whose keys are of any
// type panics on one that is a list, and the input chooses.
func unmarshalMessagePack(data []byte, v any) (err error) {
	if err := checkMessagePack(data); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	if raw, ok := v.(*json.RawMessage); ok {
		*raw, _ = messagePackToJSON(nil, data)
		return nil
	}
	dec := msgpack.NewDecoder(bytes.NewReader(data))
	dec.SetCustomStructTag("json")
	dec.SetMapDecoder(untypedMap)
	if err := dec.Decode(v); err != nil || !untypedPacks.in(reflect.TypeOf(v)) {
		return err
	}
	return retype(v, untypedPacks)
}

// checkMessagePack reports what keeps data from being one value.
func checkMessagePack(data []byte) error {
	rest, err := skipValue(data, 0)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the value", len(rest))
	}
	return err
}

func skipValue(data []byte, depth int) (rest []byte, err error) {
	if depth > maxNesting {
		return nil, errNesting
	}
	t, rest, err := nextToken(data)
	for i := 0; i < t.children && err == nil; i++ {
		rest, err = skipValue(rest, depth+1)
	}
	return rest, err
}

// A token is one value without its children.
type token struct {
	code     byte
	body     []byte // of numbers, text, bytes and extensions
	ext      int8
	children int // of arrays, and of maps, where keys and values alternate
}

// nextToken cuts the first token off data. Each child takes a byte at least, so
// a length that the rest cannot hold is a lie.
func nextToken(data []byte) (t token, rest []byte, err error) {
	if len(data) == 0 {
		return token{}, nil, errTruncated
	}
	t.code, rest = data[0], data[1:]
	h := headOf(t.code)
	if h.unknown {
		return token{}, nil, fmt.Errorf("no value begins with the byte 0x%02x", t.code)
	}
	if len(rest) < h.width+h.ext {
		return token{}, nil, errTruncated
	}
	size := h.size
	if h.width > 0 {
		size = unsigned(rest[:h.width])
	}
	if h.ext > 0 {
		t.ext = int8(rest[h.width])
	}
	rest = rest[h.width+h.ext:]
	if size*max(h.children, 1) > uint64(len(rest)) {
		return token{}, nil, errTruncated
	}
	if h.children > 0 {
		t.children = int(size * h.children)
		return t, rest, nil
	}
	t.body, rest = rest[:size], rest[size:]
	return t, rest, nil
}

// A head is what the first byte of a value says about the bytes that follow.
type head struct {
	size     uint64 // of the body, or the number of elements
	width    int    // bytes that give the size, if it is not in the first byte
	ext      int    // bytes that give the extension's type
	children uint64 // values per element: 1 in arrays, 2 in maps
	unknown  bool
}

func headOf(c byte) head {
	switch {
	case c <= 0x7f, c >= 0xe0: // small integers
		return head{}
	case c <= 0x8f:
		return head{size: uint64(c & 0x0f), children: 2}
	case c <= 0x9f:
		return head{size: uint64(c & 0x0f), children: 1}
	case c <= 0xbf:
		return head{size: uint64(c & 0x1f)}
	case c == 0xc1:
		return head{unknown: true}
	case c <= 0xc3: // nil, false, true
		return head{}
	case c <= 0xc6: // bytes
		return head{width: 1 << (c - 0xc4)}
	case c <= 0xc9: // extensions
		return head{width: 1 << (c - 0xc7), ext: 1}
	case c <= 0xcb: // floats
		return head{size: 4 << (c - 0xca)}
	case c <= 0xcf: // unsigned integers
		return head{size: 1 << (c - 0xcc)}
	case c <= 0xd3: // integers
		return head{size: 1 << (c - 0xd0)}
	case c <= 0xd8: // extensions of a fixed size
		return head{size: 1 << (c - 0xd4), ext: 1}
	case c <= 0xdb: // text
		return head{width: 1 << (c - 0xd9)}
	case c <= 0xdd: // arrays
		return head{width: 2 << (c - 0xdc), children: 1}
	default: // maps
		return head{width: 2 << (c - 0xde), children: 2}
	}
}

func unsigned(body []byte) (n uint64) {
	for _, b := range body {
		n = n<<8 | uint64(b)
	}
	return n
}
