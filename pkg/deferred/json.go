package deferred

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// The JSON forms. A content that is JSON stands inline ("result": 6); any other
// is base64 with its type beside it ("result": "wAAB", "result_type":
// "application/msgpack"). Times are RFC 3339 with fractions, in UTC. Fields that
// are not known are ignored, so that older readers read newer records. "<" and
// its like stand as they are: escaped, 256 KiB of them would be more than a
// message can carry.

// recordJSON is the stored form of a record. [Record.AppendJSON] writes it.
type recordJSON struct {
	ID      ID     `json:"id"`
	Name    string `json:"name,omitempty"`
	Queue   string `json:"queue,omitempty"`
	State   State  `json:"state"`
	Attempt int    `json:"attempt"`
	Counts  Counts `json:"counts,omitzero"`
	Retries int    `json:"retries"`
	Seen    bool   `json:"seen"`
	Token   Token  `json:"token,omitzero"`
	Digest  string `json:"digest,omitempty"`

	Submitted time.Time `json:"submitted,omitzero"`
	NotBefore time.Time `json:"not_before,omitzero"`
	BeginBy   time.Time `json:"begin_by,omitzero"`
	Deadline  time.Time `json:"deadline,omitzero"`
	Started   time.Time `json:"started,omitzero"`
	Settled   time.Time `json:"settled,omitzero"`
	Timeout   string    `json:"timeout,omitempty"`
	Keep      string    `json:"keep,omitempty"`
	Needed    time.Time `json:"needed,omitzero"`

	Labels    map[string]string `json:"labels,omitempty"`
	Callbacks []callJSON        `json:"callbacks,omitempty"`
	Parent    *RecordedParent   `json:"parent,omitempty"`
	Waits     *Waits            `json:"waits,omitempty"`
	Promise   string            `json:"promise,omitempty"`

	Skipped    bool   `json:"skipped,omitempty"`
	Handled    bool   `json:"handled,omitempty"`
	SettledBy  string `json:"settled_by,omitempty"`
	Obeyed     uint64 `json:"obeyed,omitempty"`
	HoldReason string `json:"hold_reason,omitempty"`
	Carried    bool   `json:"carried,omitempty"`

	Args       json.RawMessage `json:"args,omitempty"`
	ArgsType   string          `json:"args_type,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
	ResultType string          `json:"result_type,omitempty"`
	Failure    *Failure        `json:"failure,omitempty"`
	ResultOf   ID              `json:"result_of,omitempty"`
	Holds      bool            `json:"holds,omitempty"`
}

// UnmarshalJSON reads the stored form. A record without an id or with a state
// that this version does not know is an error.
func (r *Record) UnmarshalJSON(data []byte) error {
	var w recordJSON
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("deferred: record: %w", err)
	}
	if w.ID == "" {
		return fmt.Errorf("deferred: record without an id")
	}
	if !w.State.Known() {
		return fmt.Errorf("deferred: record of %q has the unknown state %q", string(w.ID), string(w.State))
	}
	*r = Record{
		ID: w.ID, Name: w.Name, Queue: w.Queue, State: w.State, Attempt: w.Attempt, Counts: w.Counts,
		Retries: w.Retries, Seen: w.Seen, Token: w.Token, Digest: w.Digest,
		Submitted: w.Submitted, NotBefore: w.NotBefore, BeginBy: w.BeginBy, Deadline: w.Deadline, Started: w.Started, Settled: w.Settled, Needed: w.Needed,
		Labels: w.Labels, Parent: w.Parent, Waits: w.Waits, Promise: w.Promise,
		Skipped: w.Skipped, Handled: w.Handled, SettledBy: w.SettledBy, Obeyed: w.Obeyed, HoldReason: w.HoldReason, Carried: w.Carried,
		Failure: w.Failure, ResultOf: w.ResultOf, Holds: w.Holds,
	}
	return w.contents(r)
}

func (w *recordJSON) contents(r *Record) (err error) {
	if r.Timeout, err = parseSpan(w.Timeout); err != nil {
		return err
	}
	if r.Keep, err = parseSpan(w.Keep); err != nil {
		return err
	}
	for i := range w.Callbacks {
		c, err := w.Callbacks[i].callback()
		if err != nil {
			return err
		}
		r.Callbacks = append(r.Callbacks, c)
	}
	if r.Args, err = outline(w.Args, w.ArgsType); err != nil {
		return err
	}
	r.Result, err = outline(w.Result, w.ResultType)
	return err
}

// parseSpan reads a duration such as 1h30m; "" is none.
func parseSpan(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("deferred: %w", err)
	}
	return d, nil
}

// span is the form that parseSpan reads.
func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func inline(c Content) (raw json.RawMessage, contentType string) {
	if c.IsZero() {
		return nil, ""
	}
	return appendContent(nil, c)
}

// appendContent appends a content that is not zero. The type is "" when it
// stands inline. What claims to be JSON and is not is kept like any other: a
// record must be readable whatever is in it.
func appendContent(b []byte, c Content) (_ []byte, contentType string) {
	if canonicalType(c.Type) == TypeJSON && jsonFault(c.Data) == "" {
		return appendCompact(b, c.Data), ""
	}
	return appendBase64(b, c.Data), cmp.Or(c.Type, TypeJSON)
}

// Stored is the content as it comes back from a record: what is JSON has lost its
// white space, and the parameters of its type.
func (c Content) Stored() Content {
	if c.IsZero() {
		return Content{}
	}
	if canonicalType(c.Type) == TypeJSON && jsonFault(c.Data) == "" {
		return JSON(appendCompact(nil, c.Data))
	}
	return c
}

func outline(raw json.RawMessage, contentType string) (Content, error) {
	if contentType == "" {
		if len(raw) == 0 {
			return Content{}, nil
		}
		return Content{Type: TypeJSON, Data: raw}, nil
	}
	var data []byte
	if err := json.Unmarshal(raw, &data); err != nil {
		return Content{}, fmt.Errorf("deferred: content of type %q: %w", contentType, err)
	}
	return Content{Type: contentType, Data: data}, nil
}

var errNotUTF8 = errors.New("it is not UTF-8")

// jsonFault says what keeps data from being stored as JSON; "" if nothing does.
func jsonFault(data []byte) string {
	switch {
	case !utf8.Valid(data):
		return errNotUTF8.Error()
	case !json.Valid(data):
		return "it is not one JSON value"
	case nesting(data) > maxNesting:
		return errNesting.Error()
	}
	return ""
}

// checkMarshalled reports what keeps a text of encoding/json from being stored:
// it may be nested too deep, and a type that encodes itself may write any bytes
// as text.
func checkMarshalled(data []byte) error {
	switch {
	case !utf8.Valid(data):
		return errNotUTF8
	case nesting(data) > maxNesting:
		return errNesting
	}
	return nil
}

// nesting is how deep the arrays and objects of a valid JSON text go.
func nesting(data []byte) (deepest int) {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[', c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']', c == '}':
			depth--
		}
	}
	return deepest
}

// appendCompact appends a valid JSON text without its white space, so that it
// has no line breaks either: callbacks travel in a header.
func appendCompact(b, data []byte) []byte {
	inString := false
	for i := 0; i < len(data); i++ {
		c := data[i]
		switch {
		case inString && c == '\\':
			b = append(b, c)
			i++
			c = data[i]
		case c == '"':
			inString = !inString
		case !inString && (c == ' ' || c == '\t' || c == '\r' || c == '\n'):
			continue
		}
		b = append(b, c)
	}
	return b
}

// encodeJSON is json.Marshal without escapes for HTML.
func encodeJSON(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), err
}
