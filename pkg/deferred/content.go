package deferred

import (
	"encoding/json"
	"fmt"
	"mime"
	"reflect"
	"strings"
)

// Content types that zasync reads and writes. Bytes of any other type are
// passed to the handler as they are.
const (
	TypeJSON        = "application/json"
	TypeMessagePack = "application/msgpack"
	TypeBytes       = "application/octet-stream"
)

// Content is an encoded value: arguments or a result. The zero Content is no
// value at all, and decodes into the zero value of anything.
type Content struct {
	Type string // "" only when there is no data
	Data []byte // owned by whoever holds the Content; not to be changed

	err error // of the encoding that should have made it; Check gives it
}

// Encode encodes v as MessagePack; a []byte is kept as raw bytes.
func Encode(v any) (Content, error) { return EncodeAs(TypeMessagePack, v) }

// EncodeAs encodes v in the codec of a content type, which is MessagePack for
// every type but JSON. Struct fields are named by their json tags in both. A
// []byte is kept as it is, and so are a [Content] and a [json.RawMessage]. What
// could not be read again is an error: a value that contains itself, or is nested
// too deep.
func EncodeAs(contentType string, v any) (Content, error) {
	if b, ok := v.([]byte); ok {
		return Content{Type: TypeBytes, Data: b}, nil
	}
	if c, ok := v.(Content); ok {
		return c, c.Check()
	}
	if raw, ok := v.(json.RawMessage); ok {
		return encodeRaw(raw)
	}
	switch canonicalType(contentType) {
	case TypeJSON:
		data, err := json.Marshal(v)
		if err == nil {
			err = checkMarshalled(data)
		}
		if err != nil {
			return Content{}, fmt.Errorf("deferred: encode %T as JSON: %w", v, err)
		}
		return Content{Type: TypeJSON, Data: data}, nil
	default:
		data, err := marshalMessagePack(v)
		if err != nil {
			return Content{}, fmt.Errorf("deferred: encode %T as MessagePack: %w", v, err)
		}
		return Content{Type: TypeMessagePack, Data: data}, nil
	}
}

func encodeRaw(raw json.RawMessage) (Content, error) {
	if len(raw) == 0 {
		raw = json.RawMessage("null")
	}
	if fault := jsonFault(raw); fault != "" {
		return Content{}, fmt.Errorf("deferred: encode %T as JSON: %s", raw, fault)
	}
	return JSON(raw), nil
}

// JSON wraps text that is JSON already. It is checked when it is submitted.
func JSON(data []byte) Content { return Content{Type: TypeJSON, Data: data} }

// Decode decodes c into the value that v points to, by the content's type. Into
// a [Content] or a [json.RawMessage] goes any type, see [Content.JSON].
//
// What is decoded into an interface, also one within a struct, list or map, has the
// same types from either codec: nil, bool, string, []any, map[string]any, int64 for an
// integer, uint64 for one that is larger than that, and float64. A number of JSON is an
// integer if it is written without fraction and exponent, so 2.0 of Go is one after
// JSON; beyond 64 bits it is a float64. Of MessagePack alone there are []byte and
// [time.Time], where JSON has strings.
func (c Content) Decode(v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return fmt.Errorf("deferred: content decodes into a pointer, not %T", v)
	}
	if dst, ok := v.(*Content); ok {
		*dst = c
		return nil
	}
	if c.IsZero() {
		p.Elem().SetZero()
		return nil
	}
	switch canonicalType(c.Type) {
	case TypeJSON:
		if err := unmarshalJSON(c.Data, v); err != nil {
			return fmt.Errorf("deferred: decode JSON into %T: %w", v, err)
		}
		return nil
	case TypeMessagePack:
		if err := unmarshalMessagePack(c.Data, v); err != nil {
			return fmt.Errorf("deferred: decode MessagePack into %T: %w", v, err)
		}
		return nil
	}
	return c.bytesInto(v)
}

func (c Content) bytesInto(v any) error {
	switch dst := v.(type) {
	case *[]byte:
		*dst = c.Data
	case *string:
		*dst = string(c.Data)
	case *any:
		*dst = c.Data
	case *json.RawMessage:
		*dst = appendBase64(nil, c.Data)
	default:
		return fmt.Errorf("deferred: content of type %q decodes into []byte or string, not %T", c.Type, v)
	}
	return nil
}

// JSON gives the content as JSON text, for people and for programs that read
// only JSON. No value is null; raw bytes become a base64 string; of MessagePack,
// what JSON does not have becomes a string too.
func (c Content) JSON() (json.RawMessage, error) {
	text := json.RawMessage("null")
	if c.IsZero() {
		return text, nil
	}
	err := c.Decode(&text)
	return text, err
}

// IsZero reports whether there is no value.
func (c Content) IsZero() bool {
	return len(c.Data) == 0 && (c.Type == "" || canonicalType(c.Type) != TypeBytes)
}

// Check reports whether the data is what the type says.
func (c Content) Check() error { return c.check(FieldData) }

// CheckWithin is Check of what is to stand in a list or object that is nested so many
// levels deep itself: the whole must be readable.
func (c Content) CheckWithin(levels int) error {
	if err := c.Check(); err != nil || c.IsZero() {
		return err
	}
	deep := false
	switch canonicalType(c.Type) {
	case TypeJSON:
		deep = nesting(c.Data)+levels > maxNesting
	case TypeMessagePack:
		_, err := skipValue(c.Data, levels)
		deep = err != nil
	}
	if deep {
		return &InputError{Field: FieldData, Rule: fmt.Sprintf("must not be nested deeper than %d, and stands %d levels deep", maxNesting, levels)}
	}
	return nil
}

func (c Content) check(field Field) error {
	if c.err != nil {
		return c.err
	}
	if len(c.Type) > maxTypeLength {
		return &SizeError{Field: FieldContent, Size: len(c.Type), Limit: maxTypeLength}
	}
	// The type is checked even when there is no data: it travels in a header.
	canonical := canonicalType(c.Type)
	if canonical == "" || strings.ContainsFunc(c.Type, unprintable) {
		return &InputError{Field: FieldContent, Value: c.Type, Rule: "is not a media type such as application/json"}
	}
	if c.IsZero() {
		return nil
	}
	switch canonical {
	case TypeJSON:
		if fault := jsonFault(c.Data); fault != "" {
			return &InputError{Field: field, Value: string(c.Data), Rule: "must be JSON, but " + fault + "; say in the content type what else it is"}
		}
	case TypeMessagePack:
		if err := checkMessagePack(c.Data); err != nil {
			return &InputError{Field: field, Rule: "must be MessagePack, but " + err.Error() + "; say in the content type what else it is"}
		}
	}
	return nil
}

const maxTypeLength = 128

func unprintable(r rune) bool { return r < ' ' || r > '~' }

// canonicalType maps the spellings of a media type to one; "" means that it is none.
func canonicalType(t string) string {
	switch t {
	case TypeJSON, TypeMessagePack, TypeBytes:
		return t
	case "":
		return TypeJSON
	}
	base, _, err := mime.ParseMediaType(t)
	if err != nil || !strings.Contains(base, "/") {
		return ""
	}
	switch base {
	case TypeJSON, "text/json":
		return TypeJSON
	case TypeMessagePack, "application/x-msgpack", "application/vnd.msgpack":
		return TypeMessagePack
	}
	return base
}
