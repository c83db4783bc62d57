package deferred

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
)

// messagePackToJSON writes a checked value as JSON. What JSON does not have
// becomes a string: bytes and extensions in base64, times in RFC 3339, NaN and
// the infinities by name. The keys of maps are the JSON text of what they are.
func messagePackToJSON(b, data []byte) (out, rest []byte) {
	t, rest, _ := nextToken(data)
	switch headOf(t.code).children {
	case 2:
		return objectToJSON(b, rest, t.children/2)
	case 1:
		return arrayToJSON(b, rest, t.children)
	}
	return scalarToJSON(b, t), rest
}

func arrayToJSON(b, data []byte, elements int) (out, rest []byte) {
	b, rest = append(b, '['), data
	for i := range elements {
		if i > 0 {
			b = append(b, ',')
		}
		b, rest = messagePackToJSON(b, rest)
	}
	return append(b, ']'), rest
}

func objectToJSON(b, data []byte, pairs int) (out, rest []byte) {
	b, rest = append(b, '{'), data
	for i := range pairs {
		if i > 0 {
			b = append(b, ',')
		}
		b, rest = keyToJSON(b, rest)
		b, rest = messagePackToJSON(append(b, ':'), rest)
	}
	return append(b, '}'), rest
}

// keyToJSON writes a key that is an array or a map in base64: as text within
// text within text, it would double with each level.
func keyToJSON(b, data []byte) (out, rest []byte) {
	t, rest, _ := nextToken(data)
	if headOf(t.code).children > 0 {
		rest, _ = skipValue(data, 0)
		return appendBase64(b, data[:len(data)-len(rest)]), rest
	}
	text := scalarToJSON(nil, t)
	if text[0] != '"' {
		text = appendString(nil, string(text))
	}
	return append(b, text...), rest
}

func scalarToJSON(b []byte, t token) []byte {
	switch c := t.code; {
	case c <= 0x7f, c >= 0xe0:
		return strconv.AppendInt(b, int64(int8(c)), 10)
	case c == 0xc0:
		return append(b, "null"...)
	case c == 0xc2, c == 0xc3:
		return strconv.AppendBool(b, c == 0xc3)
	case c == 0xca:
		return appendFloat(b, float64(math.Float32frombits(uint32(unsigned(t.body)))), 32)
	case c == 0xcb:
		return appendFloat(b, math.Float64frombits(unsigned(t.body)), 64)
	case c >= 0xcc && c <= 0xcf:
		return strconv.AppendUint(b, unsigned(t.body), 10)
	case c >= 0xd0 && c <= 0xd3:
		shift := 64 - 8*len(t.body) // the sign is that of the body's width
		return strconv.AppendInt(b, int64(unsigned(t.body)<<shift)>>shift, 10)
	case c <= 0xbf, c >= 0xd9 && c <= 0xdb:
		return appendString(b, string(t.body))
	case t.ext == timestampExt && (len(t.body) == 4 || len(t.body) == 8 || len(t.body) == 12):
		return append(timestamp(t.body).UTC().AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
	}
	return appendBase64(b, t.body)
}

func appendBase64(b, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), data), '"')
}

func appendFloat(b []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(b, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits)
}

const timestampExt = -1

// timestamp reads the three forms of that extension.
func timestamp(body []byte) time.Time {
	switch len(body) {
	case 4:
		return time.Unix(int64(unsigned(body)), 0)
	case 8:
		n := unsigned(body)
		return time.Unix(int64(n&(1<<34-1)), int64(n>>34))
	}
	return time.Unix(int64(unsigned(body[4:])), int64(unsigned(body[:4])))
}
