package deferred

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"
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

// EncodeAs encodes v in the codec of a content type. Struct fields are named by
// their json tags in both codecs. A []byte is kept as it is.
func EncodeAs(contentType string, v any) (Content, error) {
	if b, ok := v.([]byte); ok {
		return Content{Type: TypeBytes, Data: b}, nil
	}
	if c, ok := v.(Content); ok {
		return c, nil
	}
	switch canonicalType(contentType) {
	case TypeJSON:
		data, err := json.Marshal(v)
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

func marshalMessagePack(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := msgpack.NewEncoder(&buf)
	enc.SetCustomStructTag("json")
	enc.UseCompactInts(true)
	err := enc.Encode(v)
	return buf.Bytes(), err
}

// JSON wraps text that is JSON already. It is checked when it is submitted.
func JSON(data []byte) Content { return Content{Type: TypeJSON, Data: data} }

// Decode decodes c into the value that v points to, by the content's type.
func (c Content) Decode(v any) error {
	if dst, ok := v.(*Content); ok {
		*dst = c
		return nil
	}
	if c.IsZero() {
		reflect.ValueOf(v).Elem().SetZero()
		return nil
	}
	switch canonicalType(c.Type) {
	case TypeJSON:
		if err := json.Unmarshal(c.Data, v); err != nil {
			return fmt.Errorf("deferred: decode JSON into %T: %w", v, err)
		}
	case TypeMessagePack:
		dec := msgpack.NewDecoder(bytes.NewReader(c.Data))
		dec.SetCustomStructTag("json")
		if err := dec.Decode(v); err != nil {
			return fmt.Errorf("deferred: decode MessagePack into %T: %w", v, err)
		}
	default:
		switch dst := v.(type) {
		case *[]byte:
			*dst = c.Data
		case *string:
			*dst = string(c.Data)
		case *any:
			*dst = c.Data
		default:
			return fmt.Errorf("deferred: content of type %q decodes into []byte or string, not %T", c.Type, v)
		}
	}
	return nil
}

// JSON gives the content as JSON text, for people and for programs that read
// only JSON. Raw bytes become a base64 string.
func (c Content) JSON() (json.RawMessage, error) {
	if c.IsZero() {
		return json.RawMessage("null"), nil
	}
	if canonicalType(c.Type) == TypeJSON {
		return c.Data, nil
	}
	var v any
	if err := c.Decode(&v); err != nil {
		return nil, err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("deferred: show %s as JSON: %w", c.Type, err)
	}
	return data, nil
}

// IsZero reports whether there is no value.
func (c Content) IsZero() bool { return len(c.Data) == 0 && (c.Type == "" || canonicalType(c.Type) != TypeBytes) }

// Check reports whether the data is what the type says.
func (c Content) Check() error {
	if c.err != nil {
		return c.err
	}
	if len(c.Type) > 128 {
		return &SizeError{Field: FieldContent, Size: len(c.Type), Limit: 128}
	}
	if c.IsZero() {
		return nil
	}
	switch canonicalType(c.Type) {
	case "":
		return &InputError{Field: FieldContent, Value: c.Type, Rule: "is not a media type such as application/json"}
	case TypeJSON:
		if !json.Valid(c.Data) {
			return &InputError{Field: FieldArgs, Value: string(c.Data), Rule: "are not valid JSON; say what they are in Content-Type"}
		}
	case TypeMessagePack:
		if err := skipMessagePack(c.Data); err != nil {
			return &InputError{Field: FieldArgs, Rule: "are not valid MessagePack: " + err.Error()}
		}
	}
	return nil
}

func skipMessagePack(data []byte) error {
	r := bytes.NewReader(data)
	if err := msgpack.NewDecoder(r).Skip(); err != nil {
		return err
	}
	if r.Len() > 0 {
		return fmt.Errorf("%d bytes follow the value", r.Len())
	}
	return nil
}

// canonicalType maps the spellings of a media type to one; "" means that it is none.
func canonicalType(t string) string {
	switch t {
	case TypeJSON, TypeMessagePack, TypeBytes:
		return t
	case "":
		return TypeJSON
	}
	base, _, err := mime.ParseMediaType(t)
	if err != nil {
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
